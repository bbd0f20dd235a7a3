"""The Fréchet distance between two sets of features, each taken as a Gaussian.

|m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2), with sample means m and unbiased covariances C (Dowson and Landau
1982; of images Heusel et al. 2017, arXiv 1706.08500; of audio Kilgour et al. 2019, arXiv 1812.08466).

The trace of the square root is the sum of the singular values of L1^T L2 for any factors with C = L L^T. Two ways to
it, both in float64: the square roots of the eigenvalues of L1^T C2 L1 with a Cholesky factor, where rounding cannot
cost more than 1e-10 of their sum, else the singular values themselves, of factors that come straight from the centred
features. Squares would lose half of the digits of what is small: features that are constant, collinear, or fewer than
dimensions.

Shapes: features (clips, dimensions); mean (dimensions,); covariance (dimensions, dimensions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import iadd
from typing import cast

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.gram import gram

_PRECISION = 1e-10  # of the trace of the root, that rounding of the eigenvalues may cost
_ASYMMETRY = 1e-6  # that rounding may leave in a covariance, relative to its largest element
_NEGATIVE = 1e-7  # how far below 0, relative to the largest, rounding may take an eigenvalue of a covariance
_ROWS = 2048  # that are centred at a time: no copy of all of them


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and unbiased covariance of features, and of how many rows: all that a Fréchet distance knows of a set."""

    mean: Tensor
    covariance: Tensor
    count: int

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Those of `features` (rows, dimensions), in float64."""
        gaussian = Gaussian.of(features, "the features")
        return cls(gaussian.mean, gaussian.covariance, len(features))


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """The distance between the Gaussians fitted to `x` (n, d) and `y` (m, d), at least 0; computed in float64.

    With fewer clips than about ten times d it reads too high, by an amount that depends on both counts: compare only
    values of equal counts. Raises `GenaudioError` for fewer than 2 clips, values that are not finite, unequal widths.
    """
    return Gaussian.of(x, "x").distance(Gaussian.of(y, "y"))


def frechet_distance_of_moments(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """The distance between two Gaussians of these means and covariances, at least 0; computed in float64.

    Raises `GenaudioError` for moments that are not finite, of unequal sizes, or no covariance. Of a covariance that is
    nearly singular half of the digits are lost already: `frechet_distance` of the features keeps them.
    """
    return Gaussian.of_moments(mean1, cov1, "first").distance(Gaussian.of_moments(mean2, cov2, "second"))


class Gaussian:
    """A Gaussian to measure distances from; what is costly of it is computed once, when first needed."""

    def __init__(self, mean: Tensor, *, rows: Tensor | None = None, covariance: Tensor | None = None) -> None:
        self.mean = mean
        self._rows = rows
        if covariance is not None:
            self.covariance = covariance

    @classmethod
    def of(cls, features: Tensor, name: str) -> Gaussian:
        """Fitted to features; raises `GenaudioError` (of `name`) for what has no covariance."""
        rows = checked_features(features, name)
        return cls(rows.mean(0), rows=rows)

    @classmethod
    def of_moments(cls, mean: Tensor, covariance: Tensor, name: str) -> Gaussian:
        """Of this mean and covariance; raises `GenaudioError` (of the `name` set) if they are not that."""
        mean, covariance = (part.detach().to("cpu", torch.float64) for part in (mean, covariance))
        if mean.ndim != 1 or not len(mean) or covariance.shape != (len(mean), len(mean)):
            raise GenaudioError(
                f"{name} mean {tuple(mean.shape)} and covariance {tuple(covariance.shape)}", expected="(d,) and (d, d)"
            )
        if not (mean.sum() + covariance.sum()).isfinite():
            raise GenaudioError(f"{name} moments have values that are not finite", expected="finite moments")
        if not _symmetric(covariance):
            raise GenaudioError(f"the {name} covariance is not symmetric", expected="a covariance")
        return cls(mean, covariance=covariance)

    @cached_property
    def covariance(self) -> Tensor:
        """`(d, d)`, unbiased."""
        return _covariance(cast(Tensor, self._rows), self.mean)  # where there are none, it was given

    @cached_property
    def spread(self) -> float:
        """The trace of the covariance."""
        if "covariance" in self.__dict__:  # found already, of more rows than dimensions
            return float(self.covariance.trace())
        return float(self._factor.square().sum())

    def distance(self, other: Gaussian) -> float:
        """The Fréchet distance to another, at least 0."""
        if len(self.mean) != len(other.mean):
            raise GenaudioError(
                f"features of {len(self.mean)} and of {len(other.mean)} dimensions",
                expected="equally many",
                mend="compute both with the same embedding",
            )
        root = self._root_trace(other)
        distance = float((self.mean - other.mean).square().sum()) + self.spread + other.spread - 2 * root
        return max(distance, 0.0)  # rounding can take equal sets below

    def _root_trace(self, other: Gaussian) -> float:
        """tr (C1 C2)^(1/2)."""
        if self._full and other._full:
            first, second = (other, self) if "_cholesky" in other.__dict__ else (self, other)
            lower, there = first._cholesky
            if there:
                eigenvalues = torch.linalg.eigvalsh(_congruent(lower, second.covariance))
                roots = eigenvalues.clamp_min(0).sqrt()
                # An eigenvalue is off by up to eps |C1| |C2|, its root by that over twice the root.
                off = torch.finfo(torch.float64).eps * first._norm * second._norm * float((0.5 / roots).sum())
                if off <= _PRECISION * float(roots.sum()):
                    return float(roots.sum())
        return float(torch.linalg.svdvals(self._short @ other._short.mT).sum())

    @property
    def _full(self) -> bool:
        return self._rows is None or len(self._rows) > self._rows.shape[1]

    @cached_property
    def _cholesky(self) -> tuple[Tensor, bool]:
        """The lower factor, and whether it exists."""
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        return lower, int(failed) == 0

    @cached_property
    def _norm(self) -> float:
        """Frobenius norm of the covariance."""
        return float(self.covariance.norm())

    @cached_property
    def _factor(self) -> Tensor:
        """`(rows, d)` with C = factor^T factor."""
        if self._rows is not None:
            centred: Tensor = (self._rows - self.mean) / math.sqrt(len(self._rows) - 1)
            return centred
        eigenvalues, vectors = torch.linalg.eigh(self.covariance)
        if float(eigenvalues[0]) < -_NEGATIVE * max(float(eigenvalues[-1]), 0.0):
            raise GenaudioError(
                f"a covariance with the eigenvalue {float(eigenvalues[0]):.3g}", expected="none below 0"
            )
        root: Tensor = (vectors * eigenvalues.clamp_min(0).sqrt()).mT
        return root

    @cached_property
    def _short(self) -> Tensor:
        """A factor of at most d rows."""
        factor = self._factor
        if len(factor) <= factor.shape[1]:
            return factor
        triangle: Tensor = torch.linalg.qr(factor, mode="r").R
        return triangle


def checked_features(features: Tensor, name: str) -> Tensor:
    """The features in float64 on the CPU; raises `GenaudioError` for fewer than 2 rows or values not finite."""
    if features.ndim != 2 or features.shape[1] == 0:
        raise GenaudioError(f"{name}: shape {tuple(features.shape)}", expected="features (clips, dimensions)")
    if len(features) < 2:
        raise GenaudioError(
            f"{name}: {'one row' if len(features) else 'no rows'}",
            expected="features of at least 2 clips",
        )
    double = features.detach().to("cpu", torch.float64)
    if not double.sum().isfinite() and not double.isfinite().all():
        bad = int((~double.isfinite().all(1)).sum())
        raise GenaudioError(
            f"{name}: {bad} of {len(double)} rows with values that are not finite",
            expected="finite features",
            mend="look for clips that are empty or not finite",
        )
    return double


def _symmetric(covariance: Tensor) -> bool:
    """Whether it is, to rounding; equality, the usual case, is quicker to see."""
    if torch.equal(covariance, covariance.mT):
        return True
    difference = (covariance - covariance.mT).abs().max()
    return float(difference) <= _ASYMMETRY * float(covariance.abs().max())


def _congruent(lower: Tensor, covariance: Tensor) -> Tensor:
    """L^T C L; of the result no more than the lower triangle is right, and what is 0 in L is left out in part."""
    half = len(lower) // 2
    top, bottom = slice(0, half), slice(half, None)
    product = torch.empty_like(covariance)
    torch.mm(lower[:, top].mT, covariance, out=product[top])
    torch.mm(lower[bottom, bottom].mT, covariance[bottom], out=product[bottom])
    result = torch.empty_like(covariance)
    torch.mm(product, lower[:, top], out=result[:, top])
    torch.mm(product[bottom, bottom], lower[bottom, bottom], out=result[bottom, bottom])
    return result


def _covariance(rows: Tensor, mean: Tensor) -> Tensor:
    """X^T X / (n - 1) of the centred rows."""
    product = reduce(iadd, (gram(block - mean) for block in torch.split(rows, _ROWS)))
    covariance: Tensor = product.div_(len(rows) - 1)
    return covariance
