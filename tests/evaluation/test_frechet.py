"""Closed forms, an independent computation in many digits, and what has no covariance."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from scipy import linalg
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.frechet import Gaussian, Moments, frechet_distance, frechet_distance_of_moments


def draw(clips: int, dimensions: int, seed: int, spread: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64)
    return spread * torch.randn(clips, dimensions, generator=generator, dtype=torch.float64) @ mixing


def in_many_digits(x: Tensor, y: Tensor) -> float:
    """The definition in 60 digits: eigenvalues of C1 C2, whose square roots sum to the trace of its root."""
    with mpmath.workdps(60):
        moments = []
        for features in (x, y):
            rows = mpmath.matrix(features.tolist())
            n, d = rows.rows, rows.cols
            mean = [mpmath.fsum(rows[i, j] for i in range(n)) / n for j in range(d)]
            centred = mpmath.matrix(n, d)
            for i in range(n):
                for j in range(d):
                    centred[i, j] = rows[i, j] - mean[j]
            moments.append((mean, centred.T * centred / (n - 1)))
        (m1, c1), (m2, c2) = moments
        d = len(m1)
        values = mpmath.eig(c1 * c2, left=False, right=False)
        root = mpmath.fsum(mpmath.sqrt(abs(mpmath.re(value))) for value in values)
        gap = mpmath.fsum((a - b) ** 2 for a, b in zip(m1, m2, strict=True))
        return float(gap + mpmath.fsum(c1[i, i] + c2[i, i] for i in range(d)) - 2 * root)


def by_sqrtm(x: Tensor, y: Tensor) -> float:
    """The definition by scipy's matrix square root."""
    c1, c2 = x.T.cov().numpy(), y.T.cov().numpy()
    gap = (x.mean(0) - y.mean(0)).square().sum().item()
    return float(gap + c1.trace() + c2.trace() - 2 * linalg.sqrtm(c1 @ c2).real.trace())


def test_in_one_dimension_it_is_the_distance_of_mean_and_deviation() -> None:
    x, y = draw(50, 1, 0), 3 + 2 * draw(40, 1, 1)
    expected = (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-12)


def test_a_shift_costs_its_square_and_a_scale_the_square_of_what_it_adds() -> None:
    x = draw(200, 5, 0)
    shift = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)
    assert frechet_distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-12)
    scaled = x.mean(0) + 1.7 * (x - x.mean(0))
    assert frechet_distance(x, scaled) == pytest.approx(0.7**2 * float(x.var(0).sum()), rel=1e-10)


def test_commuting_covariances_differ_by_their_deviations() -> None:
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)  # uncorrelated columns
    first, second = torch.tensor([3.0, 0.5]), torch.tensor([1.0, 2.5])
    expected = 4 / 3 * float((first - second).square().sum())
    assert frechet_distance(signs * first, signs * second) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "m", "d"),
    [(40, 30, 6), (7, 8, 6), (6, 30, 6), (4, 5, 6), (4, 30, 6), (2, 2, 6)],
    ids=["full", "just full", "n = d", "both below", "one below", "two rows"],
)
def test_it_agrees_with_the_definition_in_sixty_digits(n: int, m: int, d: int) -> None:
    x, y = draw(n, d, 0), draw(m, d, 1, spread=0.5) + 0.3
    expected = in_many_digits(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-6, 1e-3])
def test_constant_and_collinear_features_lose_no_digits(scale: float) -> None:
    """Half of the columns are a multiple of the others, up to `scale`, or (nearly) constant."""
    x, y = draw(40, 6, 0), draw(30, 6, 1)
    for features, seed in ((x, 2), (y, 3)):
        features[:, 4] = 2 * features[:, 0] + scale * draw(len(features), 1, seed)[:, 0]
        features[:, 5] = 1 + scale * features[:, 5]
    expected = in_many_digits(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, abs=1e-8)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)


def test_it_agrees_with_the_matrix_square_root_in_many_dimensions() -> None:
    x, y = draw(300, 64, 0), draw(400, 64, 1)
    assert frechet_distance(x, y) == pytest.approx(by_sqrtm(x, y), rel=1e-8)


def test_equal_sets_are_at_distance_zero_and_rotation_changes_nothing() -> None:
    x, y = draw(100, 8, 0), draw(90, 8, 1)
    assert 0 <= frechet_distance(x, x.flip(0)) < 1e-10
    rotation = torch.linalg.qr(draw(8, 8, 2)).Q
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_float32_features_are_computed_in_float64() -> None:
    x, y = draw(100, 8, 0).float(), draw(90, 8, 1).float() + 1000
    assert frechet_distance(x, y) == frechet_distance(x.double(), y.double())


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "x: one row"),
        (torch.zeros(5, 3), torch.zeros(0, 3), "y: no rows"),
        (torch.zeros(5, 3), torch.zeros(5, 4), "features of 3 and of 4 dimensions"),
        (torch.zeros(5), torch.zeros(5, 4), r"x: shape \(5,\)"),
        (torch.zeros(5, 2), torch.tensor([[1.0, math.nan], [0, 0], [math.inf, 0]]), "y: 2 of 3 rows with values"),
    ],
)
def test_what_has_no_covariance_is_refused(x: Tensor, y: Tensor, message: str) -> None:
    with pytest.raises(GenaudioError, match=message):
        frechet_distance(x, y)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (300, 20), (20, 15)])
def test_moments_give_the_distance_of_the_features(n: int, m: int) -> None:
    x, y = draw(n, 24, 0), draw(m, 24, 1) + 0.5
    first, second = Moments.of(x), Moments.of(y)
    assert (first.count, second.count) == (n, m)
    found = frechet_distance_of_moments(first.mean, first.covariance, second.mean, second.covariance)
    assert found == pytest.approx(frechet_distance(x, y), rel=1e-7)
    assert Gaussian.of(x, "x").distance(Gaussian.of_moments(second.mean, second.covariance, "y")) == pytest.approx(
        found, rel=1e-7
    )


@pytest.mark.parametrize("dimensions", [3, 128, 129, 300])
def test_the_covariance_is_the_unbiased_one(dimensions: int) -> None:
    x = draw(1500, dimensions, 0) + 100
    torch.testing.assert_close(Moments.of(x).covariance, x.T.cov(), rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (torch.zeros(2), torch.eye(3), r"first mean \(2,\) and covariance \(3, 3\)"),
        (torch.tensor([0.0, math.nan]), torch.eye(2), "first moments have values"),
        (torch.zeros(2), torch.tensor([[1.0, 1.0], [0.0, 1.0]]), "the first covariance is not symmetric"),
        (torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "a covariance with the eigenvalue -1"),
    ],
)
def test_what_is_no_covariance_is_refused(mean: Tensor, covariance: Tensor, message: str) -> None:
    with pytest.raises(GenaudioError, match=message):
        frechet_distance_of_moments(mean, covariance, torch.zeros(2), torch.eye(2))
