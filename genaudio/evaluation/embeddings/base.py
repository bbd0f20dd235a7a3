"""The contract of embeddings.

Shapes: waveform (batch, channels, time); features (batch, frames, dimensions), float64 on the CPU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError


class Embedding(Component, ABC):
    """Features of a clip for metrics and the audit.

    Computed on the device that the waveform is on, the same for a clip in any batch; what comes back is float64 on the
    CPU. Weights are loaded when they are first needed.
    """

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Rate in Hz that waveforms must have."""

    @property
    @abstractmethod
    def weights_sha256(self) -> str | None:
        """SHA-256 of the weights file, None for an embedding without weights."""

    @property
    def config_sha256(self) -> str | None:
        """SHA-256 of what is read from files beside the weights, None where that is nothing.

        With the fields and `weights_sha256` it must cover all that features depend on: caches go by them.
        """
        return None

    @property
    def frame_window(self) -> float | None:
        """Seconds of sound that one frame of features hears; None: the whole clip."""
        return None

    @property
    def frame_hop(self) -> float | None:
        """Seconds between two frames of features; None: there is one frame a clip."""
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that `log_probabilities` tells apart; none for an embedding that does not classify."""
        return ()

    @abstractmethod
    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, frames, dimensions)`, float64."""

    def log_probabilities(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, classes)`, float64, of an embedding that classifies."""
        raise GenaudioError(
            f"{type(self).__name__} tells no classes apart",
            expected="an embedding that classifies",
            mend="use `classifier` (see `gen train-classifier`) or `panns`",
        )

    def listen(self, waveform: Tensor) -> tuple[Tensor, Tensor | None]:
        """`features` and `log_probabilities` of a waveform; None for the latter where there are no classes.

        An embedding whose network gives both at once overrides this, so that it runs once.
        """
        return self.features(waveform), self.log_probabilities(waveform) if self.classes else None

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """`(texts, dimensions)`, float64, of an embedding that hears sound and reads text into one space."""
        raise GenaudioError(
            f"{type(self).__name__} reads no text", expected="an embedding of sound and text", mend="use `clap`"
        )
