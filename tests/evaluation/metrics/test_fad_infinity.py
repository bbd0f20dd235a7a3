"""No bias where plain FAD has one, and intervals that hold the truth."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments, frechet_distance
from genaudio.evaluation.metrics.fad_infinity import FADInfinity, _intercept


def test_a_line_through_its_points() -> None:
    assert _intercept([2.0, 5.0]) == pytest.approx(-1.0)
    assert _intercept([3.0 + 0.5 * k for k in (1, 2, 3, 4)]) == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(3))
def test_two_samples_of_one_gaussian_are_at_0_within_the_interval(gaussian_set: Any, seed: int) -> None:
    """128 dimensions, 1,000 clips, where plain FAD reads 8.5."""
    generated, reference = (gaussian_set(1000, 2 * seed + which, dimensions=128) for which in (0, 1))
    found = FADInfinity(draws=20).measure(generated, reference)
    low, high = found.interval
    assert low <= 0 <= high
    plain = frechet_distance(generated.features, reference.features)
    assert plain > 8
    assert high - low < plain / 4
    assert abs(found.value) < plain / 12


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.1, 1.0), (0.0, 1.3)])
def test_intervals_hold_the_truth_about_as_often_as_they_promise(
    gaussian_set: Any, shift: float, spread: float
) -> None:
    """Conservative where the truth is 0: never less than 95 of 100, and often more."""
    truth, inside, runs = 16 * (shift**2 + (spread - 1) ** 2), 0, 60
    for seed in range(runs):
        generated = gaussian_set(300, 2 * seed, dimensions=16, shift=shift, spread=spread)
        reference = gaussian_set(400, 2 * seed + 1, dimensions=16)
        low, high = FADInfinity(draws=60).measure(generated, reference).interval
        inside += low <= truth <= high
    assert inside >= 0.88 * runs  # 95% less two and a half of its own deviations


def test_frames_of_a_clip_stay_together(gaussian_set: Any) -> None:
    generated, reference = (gaussian_set(60, seed, frames=3) for seed in (0, 1))
    found = FADInfinity(draws=5).measure(generated, reference)
    assert found.card["generated_rows"] == 180
    assert [count for count, _ in found.card["points"]] == [60, 30, 20]
    assert found.card["points"][0][1] == frechet_distance(generated.features, reference.features)


def test_over_the_generated_clips_alone_the_reference_keeps_its_bias(gaussian_set: Any) -> None:
    generated, reference = (gaussian_set(400, seed, dimensions=32) for seed in (0, 1))
    both, published = (
        FADInfinity(draws=0, extrapolate=which).measure(generated, reference) for which in ("both", "generated")
    )
    assert abs(both.value) < 0.3
    assert published.value > both.value + 0.3
    shipped = FADInfinity(draws=3).measure(generated, FeatureSet.of_moments(Moments.of(reference.features)))
    assert shipped.value == pytest.approx(published.value, rel=0.2)
    assert "the reference's bias is in it" in shipped.card["notes"][0]
    assert shipped.interval[0] < shipped.value < shipped.interval[1]


def test_too_few_rows_for_a_straight_line_are_refused(gaussian_set: Any) -> None:
    with pytest.raises(GenaudioError, match=r"(?s)FAD-infinity of 100 rows of 64 dimensions.*at least 128 rows.*`kad`"):
        FADInfinity().measure(gaussian_set(100, 0, dimensions=64), gaussian_set(1000, 1, dimensions=64))
    fewer = FADInfinity(draws=0).measure(gaussian_set(150, 0, dimensions=64), gaussian_set(1000, 1, dimensions=64))
    assert len(fewer.card["points"]) == 2


def test_as_few_clips_as_it_takes_have_an_interval_too(gaussian_set: Any) -> None:
    found = FADInfinity(draws=10).measure(*(gaussian_set(8, seed, dimensions=2) for seed in (0, 1)))
    assert found.interval[0] < found.value < found.interval[1]
    with pytest.raises(GenaudioError, match="of at least 8 clips"):
        FADInfinity().measure(gaussian_set(7, 0, dimensions=2), gaussian_set(8, 1, dimensions=2))
    with pytest.raises(GenaudioError, match="reference clips whose features are all equal"):
        FADInfinity().measure(gaussian_set(20, 0), FeatureSet.of(torch.ones(20, 4)))


def test_equal_seeds_give_equal_values(gaussian_set: Any) -> None:
    sets = gaussian_set(100, 0), gaussian_set(100, 1)
    assert FADInfinity(draws=5).measure(*sets) == FADInfinity(draws=5).measure(*sets)
    assert FADInfinity(draws=0, seed=1).measure(*sets).value != FADInfinity(draws=0).measure(*sets).value


def test_features_that_are_not_finite_are_refused(gaussian_set: Any) -> None:
    broken = gaussian_set(50, 0)
    broken.features[3, 1] = torch.nan
    with pytest.raises(GenaudioError, match="the generated clips' features: 1 of 50 rows"):
        FADInfinity().measure(broken, gaussian_set(50, 1))
