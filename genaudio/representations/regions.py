"""Weights that are 1 within given ranges of an axis and fall to 0 at their bounds: what masks are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genaudio.representations.base import Range


def weights(positions: Tensor, ranges: Sequence[Range], limits: Range, edge: float) -> Tensor:
    """The weight of each position (count,): 1 inside a range, 0 outside, float64; of overlapping ranges the largest.

    The edge is half a cosine, `edge` wide (at most half the range) and inside the range, so that nothing outside weighs
    anything. Where a range reaches one of the `limits` of the axis there is no edge: nothing lies beyond it.
    """
    best = torch.zeros_like(positions, dtype=torch.float64)
    for start, end in ranges:
        width = min(edge, (end - start) / 2)
        rise = positions.new_ones(positions.shape) if start <= limits[0] else _rise(positions - start, width)
        fall = positions.new_ones(positions.shape) if end >= limits[1] else _rise(end - positions, width)
        best = torch.maximum(best, rise * fall)
    return best


def _rise(depth: Tensor, width: float) -> Tensor:
    """0 up to depth 0, 1 from depth `width` on."""
    if width <= 0:
        return (depth > 0).to(depth)
    return torch.sin((depth / width).clamp(0, 1) * (math.pi / 2)).square()
