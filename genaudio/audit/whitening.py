"""Whitening of patches: directions in which all training clips differ alike count little, rare ones much.

Shapes: patches (n, cells); live (n,), which of them hold sound; whitened (n, components), of norm 1, zeros for silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.core.errors import DataError
from genaudio.evaluation.gram import gram

_SMALLEST = 1e-6  # of the largest variance: directions below it hold rounding errors


@dataclass(frozen=True)
class Whitening:
    """x -> Λ^(-1/2) Vᵀ (x - μ), then to norm 1: the principal components of training patches at unit variance.

    Plain correlation of log-mel patches is high for any two sounds with a falling spectrum; after whitening the cosine
    of unrelated patches is near 0, and its large values say something. (PCA whitening; Jégou and Chum, ECCV 2012, use
    it on image descriptors for the same reason.)
    """

    mean: Tensor
    projection: Tensor  # (cells, components)

    @property
    def components(self) -> int:
        """Dimensions of a whitened patch."""
        return self.projection.shape[1]

    @classmethod
    def fit(cls, patches: Iterable[Tensor], components: int) -> Whitening:
        """From patches that hold sound; fewer components if there are few patches. Raises `DataError`."""
        count, total, square = 0, torch.zeros(0), torch.zeros(0)
        for found in patches:
            values = found.double()
            if not count:
                total = torch.zeros(values.shape[1], dtype=torch.float64)
                square = torch.zeros(values.shape[1], values.shape[1], dtype=torch.float64)
            count += len(values)
            total += values.sum(0)
            square += gram(values)
        if count < 2:
            raise DataError("the training clips hold no sound", expected="clips that are not silent")
        mean = total / count
        variances, directions = torch.linalg.eigh(square / count - mean[:, None] * mean)
        variances, directions = variances.flip(0), directions.flip(1)
        kept = min(components, count - 1, int((variances > _SMALLEST * variances[0]).sum()))
        if kept < 2:
            raise DataError("the patches of the training clips are all alike", expected="clips that differ")
        return cls(mean.float(), (directions[:, :kept] * variances[:kept].rsqrt()).float())

    def __call__(self, patches: Tensor, live: Tensor) -> Tensor:
        """`(n, components)`, of norm 1; zeros where the clip is silent."""
        whitened = torch.nn.functional.normalize((patches - self.mean) @ self.projection, dim=1)
        return whitened * live[:, None]
