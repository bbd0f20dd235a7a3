"""The contract of representations.

Shapes: waveform (batch, channels, time); x (batch, features, freq, time).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError

Range = tuple[float, float]  # (start, end) in s, or (low, high) in Hz


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

    def mask(
        self, length: int, channels: int, sample_rate: int, *, spans: Sequence[Range] = (), bands: Sequence[Range] = ()
    ) -> Tensor:
        """Where `spans` (s) and `bands` (Hz) lie in x: 1 inside, 0 outside, a soft edge within their bounds.

        Float32, `(features or 1, freq or 1, time or 1)`. Without spans the region is the whole length, without bands
        all frequencies, with both what lies in a span and in a band. Raises `GenaudioError` where x has no such axis.
        """
        raise GenaudioError(
            f"{type(self).__name__} does not say where a time or a frequency lies in its plane",
            expected="a representation with the method mask, as complex_stft and waveform have",
            mend="edit with a model of such a representation, or write the method",
        )
