"""Distances between all rows of two sets of features.

Shapes: x (n, dimensions); y (m, dimensions); distances (n, m).
"""

from __future__ import annotations

from torch import Tensor

from genaudio.evaluation.gram import gram

_EQUAL = 1e-13  # of the squared lengths: what rounding leaves between equal rows


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """`(n, m)`, float64, 0 between rows that are equal to rounding; as one matrix product."""
    same = x.data_ptr() == y.data_ptr() and x.shape == y.shape and x.stride() == y.stride()
    middle = x.mean(0)
    x, y = x - middle, y - middle  # the shorter the vectors, the less is lost in the difference of their lengths
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    products = gram(x.mT) if same else x @ y.mT
    distances = (lengths - 2 * products).clamp_min_(0)
    return distances.masked_fill_(distances < _EQUAL * lengths, 0)
