"""The Fréchet distance between two sets of features, each taken as a Gaussian.

|m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2), with sample means m and unbiased covariances C (Dowson and Landau
1982; of images Heusel et al. 2017, arXiv 1706.08500; of audio Kilgour et al. 2019, arXiv 1812.08466).

The trace of the square root is the sum of the singular values of L1^T L2 for any factors with C = L L^T. Two ways to
it, both in float64: with well-conditioned Cholesky factors the square roots of the eigenvalues of L1^T C2 L1, else the
singular values themselves, of factors that come straight from the centred features. Squares would lose half of the
digits of what is small: features that are constant, collinear, or fewer than dimensions.

Shapes: features (clips, dimensions).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError

_CONDITION = (
    1e-4  # the least diagonal element of a Cholesky factor, relative to the largest, that squaring is safe with
)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """The distance between the Gaussians fitted to `x` (n, d) and `y` (m, d), at least 0; computed in float64.

    With fewer clips than about ten times d it reads too high, by an amount that depends on both counts: compare only
    values of equal counts. Raises `GenaudioError` for fewer than 2 clips, values that are not finite, unequal widths.
    """
    first, second = checked_features(x, "x"), checked_features(y, "y")
    if first.shape[1] != second.shape[1]:
        raise GenaudioError(
            f"features of {first.shape[1]} and of {second.shape[1]} dimensions",
            expected="equally many",
            mend="compute both with the same embedding",
        )
    means = first.mean(0), second.mean(0)
    # C = factor^T factor
    factors = [(f - m) / math.sqrt(len(f) - 1) for f, m in zip((first, second), means, strict=True)]
    spread = sum(float(factor.square().sum()) for factor in factors)
    distance = float((means[0] - means[1]).square().sum()) + spread - 2 * _root_trace(*factors)
    return max(distance, 0.0)  # rounding can take equal sets below


def checked_features(features: Tensor, name: str) -> Tensor:
    """The features in float64 on the CPU; raises `GenaudioError` for what has no covariance."""
    if features.ndim != 2 or features.shape[1] == 0:
        raise GenaudioError(f"{name} is {tuple(features.shape)}", expected="features (clips, dimensions)")
    if len(features) < 2:
        raise GenaudioError(
            f"{name} has {len(features)} row(s)", expected="features of at least 2 clips, which a covariance takes"
        )
    double = features.detach().to("cpu", torch.float64)
    bad = int((~double.isfinite().all(1)).sum())
    if bad:
        raise GenaudioError(
            f"{name} has {bad} of {len(double)} rows with values that are not finite",
            expected="finite features",
            mend="look for clips that are empty or not finite",
        )
    return double


def _root_trace(x: Tensor, y: Tensor) -> float:
    """tr (C1 C2)^(1/2) for C1 = x^T x and C2 = y^T y: (n, d) and (m, d)."""
    dimensions = x.shape[1]
    if len(x) > dimensions and len(y) > dimensions:
        covariance = y.mT @ y
        lower, safe = _cholesky(x.mT @ x)
        if safe and _cholesky(covariance)[1]:
            eigenvalues = torch.linalg.eigvalsh(lower.mT @ covariance @ lower)
            return float(eigenvalues.clamp_min(0).sqrt().sum())
    return float(torch.linalg.svdvals(_short(x) @ _short(y).mT).sum())


def _cholesky(covariance: Tensor) -> tuple[Tensor, bool]:
    """The lower factor, and whether it exists and is conditioned well enough to be squared."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    diagonal = lower.diagonal()
    return lower, int(failed) == 0 and bool(diagonal.min() > _CONDITION * diagonal.max())


def _short(factor: Tensor) -> Tensor:
    """A factor of the same C with at most d rows."""
    if len(factor) <= factor.shape[1]:
        return factor
    triangle: Tensor = torch.linalg.qr(factor, mode="r").R
    return triangle
