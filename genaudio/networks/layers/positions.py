"""Learned offsets for the rows and columns of a plane.

A convolution treats all frequencies alike, but a spectrogram does not: its rows are places, not shifts of one another.

Shapes: x (batch, channels, freq, time).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Positions(nn.Module):
    """x plus one learned vector for each row and one for each column of the plane; small at the start."""

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(channels, rows, 1))
        self.columns = nn.Parameter(0.02 * torch.randn(channels, 1, columns))

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, channels, freq, time)` to the same shape."""
        return x + (self.rows + self.columns).to(x.dtype)
