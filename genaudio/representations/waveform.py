"""The waveform itself, folded into a grid.

Shapes: waveform (batch, channels, time); x (batch, channels, fold, columns), with
x[b, c, f, t] = waveform[b, c, t * fold + f].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.representations.base import Range, Representation
from genaudio.representations.regions import weights

_EDGE = 0.002  # s


class Waveform(Representation):
    """Samples as they are: each column of the grid holds `fold` consecutive ones, so that 2-D networks can take them.

    The axis called freq counts samples within a column, not frequencies. The inverse is exact, bit for bit.
    """

    fold: int = parameter(128, ge=1, description="Consecutive samples in a column of the grid", unit="samples")
    time_multiple: int = parameter(
        16, ge=1, description="The number of columns is brought to a multiple of this by trailing silence"
    )

    def shape(self, length: int, channels: int = 1) -> tuple[int, int, int]:
        """`(channels, fold, columns)`."""
        columns = math.ceil(length / self.fold)
        return channels, self.fold, math.ceil(columns / self.time_multiple) * self.time_multiple

    def encode(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, channels, fold, columns)`; half precision comes out as float32."""
        if waveform.ndim != 3:
            raise GenaudioError(
                f"a waveform of shape {tuple(waveform.shape)}",
                expected="(batch, channels, time)",
                mend="add the missing axes with waveform[None]",
            )
        batch, channels, length = waveform.shape
        _, fold, columns = self.shape(length, channels)
        waveform = waveform.to(torch.promote_types(waveform.dtype, torch.float32))
        padded = torch.nn.functional.pad(waveform, (0, fold * columns - length))
        return padded.view(batch, channels, columns, fold).transpose(2, 3).contiguous()

    def decode(self, x: Tensor, length: int) -> Tensor:
        """`(batch, channels, fold, columns)` back to `(batch, channels, length)`."""
        if x.ndim != 4 or x.shape[2] != self.fold:
            raise GenaudioError(
                f"x of shape {tuple(x.shape)}",
                expected=f"(batch, channels, {self.fold}, columns), as encode gives with fold {self.fold}",
                mend="decode with the representation that encoded",
            )
        available = x.shape[2] * x.shape[3]
        if length > available:
            raise GenaudioError(
                f"{length} samples asked of {x.shape[3]} columns of {self.fold}",
                expected=f"at most {available} samples",
                mend="decode with the length that was encoded",
            )
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        return x.transpose(2, 3).reshape(*x.shape[:2], available)[..., :length]

    def mask(
        self, length: int, channels: int, sample_rate: int, *, spans: Sequence[Range] = (), bands: Sequence[Range] = ()
    ) -> Tensor:
        """`(1, fold, columns)`, sample by sample, with edges of 2 ms; `bands` are a `GenaudioError`."""
        if bands:
            raise GenaudioError(
                f"bands for {type(self).__name__}, whose plane has no frequencies",
                expected="spans of time",
                mend="leave the bands out, or use a model of complex_stft",
            )
        _, fold, columns = self.shape(length, channels)
        times = torch.arange(fold * columns, dtype=torch.float64) / sample_rate
        over_time = weights(times, spans, (0, length / sample_rate), _EDGE) if spans else torch.ones_like(times)
        return over_time.float().view(1, columns, fold).transpose(1, 2)
