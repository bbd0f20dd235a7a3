"""Sums over each item of a batch, in float32 at least: half precision would lose or overflow them.

Shapes: x (batch, ...); results (batch, 1, ...), to multiply with x.
"""

from __future__ import annotations

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """`x` in float32 if it is of half precision, else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The inner product of each item of `x` with its counterpart."""
    return _spread((_rows(x) * _rows(y)).sum(1), x)


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of each item."""
    return _spread(torch.linalg.vector_norm(_rows(x), dim=1), x)


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of each item's elements about their mean."""
    return _spread(_rows(x).std(1, correction=0), x)


def _rows(x: Tensor) -> Tensor:
    return wide(x).reshape(len(x), -1)


def _spread(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 1))
