"""Distances between all rows of two sets of features.

Shapes: x (n, dimensions); y (m, dimensions); distances (n, m).
"""

from __future__ import annotations

from torch import Tensor

_EQUAL = 1e-13  # of the squared lengths: what rounding leaves between equal rows


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """`(n, m)`, float64, 0 between rows that are equal to rounding; as one matrix product."""
    middle = x.mean(0)
    x, y = x - middle, y - middle  # the shorter the vectors, the less is lost in the difference of their lengths
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    distances = (lengths - 2 * (x @ y.mT)).clamp_min_(0)
    return distances.masked_fill_(distances < _EQUAL * lengths, 0)
