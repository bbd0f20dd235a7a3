"""The Fréchet distance beside scipy's matrix square root, from features and from moments.

pytest benchmarks/evaluation --benchmark-enable --benchmark-columns=min,median

Both sides run in one process, one after the other, on a machine that does nothing else, with as many threads as their
libraries take; OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 compare them on one. From features both compute two
covariances, which with many rows is most of the work and costs both about the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg

from genaudio.evaluation.frechet import Moments, frechet_distance, frechet_distance_of_moments

SHAPES = {"d=128, n=700": (128, 700), "d=512, n=10k": (512, 10_000), "d=2048, n=700": (2048, 700)}


def features(dimensions: int, rows: int, seed: int) -> torch.Tensor:
    """Correlated, with deviations that fall like those of an embedding."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    mixing = torch.arange(1, dimensions + 1, dtype=torch.float64)[:, None] ** -0.5 * torch.linalg.qr(mixing).Q
    return torch.randn(rows, dimensions, generator=generator, dtype=torch.float64) @ mixing


def by_sqrtm(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    root = linalg.sqrtm(cov1 @ cov2)
    return float(np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root).real)


def sides(route: str, shape: tuple[int, int]) -> dict[str, Callable[[], float]]:
    x, y = (features(*shape, seed) for seed in (0, 1))
    if route == "features":
        return {
            "genaudio": lambda: frechet_distance(x, y),
            "scipy": lambda: by_sqrtm(
                *(part(one.numpy()) for one in (x, y) for part in (lambda a: a.mean(0), lambda a: np.cov(a.T)))
            ),
        }
    first, second = Moments.of(x), Moments.of(y)
    moments = (first.mean, first.covariance, second.mean, second.covariance)
    return {
        "genaudio": lambda: frechet_distance_of_moments(*moments),
        "scipy": lambda: by_sqrtm(*(part.numpy() for part in moments)),
    }


@pytest.mark.filterwarnings("ignore")  # scipy's, of matrices that are singular
@pytest.mark.parametrize("side", ["genaudio", "scipy"])
@pytest.mark.parametrize("route", ["features", "moments"])
@pytest.mark.parametrize("shape", SHAPES)
def test_frechet(shape: str, route: str, side: str, benchmark: Any) -> None:
    if shape == "d=2048, n=700" and route == "moments":
        pytest.skip("fewer rows than dimensions: the fast way is by the features")
    benchmark.group = f"{shape}, from {route}"
    run = sides(route, SHAPES[shape])
    rounds = 2 if side == "scipy" and SHAPES[shape][0] > 1000 else 12
    result = benchmark.pedantic(run[side], rounds=rounds, warmup_rounds=1 if rounds > 2 else 0)
    assert result == pytest.approx(run["genaudio"](), rel=1e-5)
