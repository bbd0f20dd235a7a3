"""The contract of embeddings.

Shapes: waveform (batch, channels, time); features (frames, dimensions), float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from genaudio.core.component import Component


class Embedding(Component, ABC):
    """Features of a clip for metrics and the audit."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Rate in Hz that waveforms must have."""

    @property
    @abstractmethod
    def weights_sha256(self) -> str | None:
        """SHA-256 of the weights file, None for an embedding without weights."""

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, frames, dimensions)`, float64."""
