"""Convolutions in the form that runs fast everywhere.

Shapes: x (batch, channels, freq, time), channels-last in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Pointwise(nn.Linear):
    """A 1x1 convolution, computed as a matrix product over channels-last memory."""

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, freq, time)` to `(batch, out_channels, freq, time)`."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convolution(in_channels: int, out_channels: int, kernel: int = 3, *, zero: bool = False) -> nn.Conv2d:
    """A convolution of odd kernel that keeps the plane's size; `zero` starts it at 0, so that its block is silent."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    if zero:
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.get_parameter("bias"), 0)
    return layer


class MultiKernel(nn.Module):
    """Convolutions of several kernel sizes side by side, their outputs concatenated.

    The smallest kernel gives half of the channels, the next a quarter, and so on; the last takes what is left.
    """

    def __init__(self, in_channels: int, out_channels: int, kernels: Sequence[int]) -> None:
        super().__init__()
        kernels = sorted(kernels)
        widths = [out_channels // 2**k for k in range(1, len(kernels))]
        widths.append(out_channels - sum(widths))
        self.branches = nn.ModuleList(
            convolution(in_channels, width, kernel) for width, kernel in zip(widths, kernels, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, freq, time)` to `(batch, out_channels, freq, time)`."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Downsample(nn.Module):
    """Halves the plane: each 2x2 patch becomes one position (pixel-unshuffle), then a pointwise layer."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = Pointwise(4 * in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, freq, time)` to `(batch, out_channels, freq / 2, time / 2)`."""
        mixed: Tensor = self.mix(nn.functional.pixel_unshuffle(x, 2))
        return mixed


class PixelShuffleUpsample(nn.Module):
    """Doubles the plane: a pointwise layer makes four values a channel, which are laid out as a 2x2 patch.

    The four start out equal, so that the first outputs have no checkerboard (arXiv 1707.02937).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = Pointwise(in_channels, 4 * out_channels)
        weight = torch.empty(out_channels, in_channels)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        with torch.no_grad():
            self.mix.weight.copy_(weight.repeat_interleave(4, dim=0))
            self.mix.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, freq, time)` to `(batch, out_channels, 2 freq, 2 time)`."""
        return nn.functional.pixel_shuffle(nn.functional.silu(self.mix(x)), 2)


class NearestUpsample(nn.Module):
    """Doubles the plane by repetition, then a 3x3 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = convolution(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, in_channels, freq, time)` to `(batch, out_channels, 2 freq, 2 time)`."""
        mixed: Tensor = self.mix(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return mixed
