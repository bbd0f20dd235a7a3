"""The contract of representations.

Shapes: waveform (batch, channels, time); x (batch, features, freq, time).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from genaudio.core.component import Component


class Representation(Component, ABC):
    """What the model sees of a waveform: a map to `(batch, features, freq, time)` and its inverse."""

    @abstractmethod
    def shape(self, length: int, channels: int = 1) -> tuple[int, int, int]:
        """`(features, freq, time)` of an encoded waveform of `length` samples."""

    @abstractmethod
    def encode(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, features, freq, time)`, float32 or float64 as given."""

    @abstractmethod
    def decode(self, x: Tensor, length: int) -> Tensor:
        """`(batch, features, freq, time)` back to `(batch, channels, length)`."""
