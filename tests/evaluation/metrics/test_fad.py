from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import frechet_distance
from genaudio.evaluation.metrics.fad import FAD


def draw(clips: int, seed: int, shift: float = 0.0) -> FeatureSet:
    generator = torch.Generator().manual_seed(seed)
    return FeatureSet.of(shift + torch.randn(clips, 4, generator=generator, dtype=torch.float64))


def test_the_value_is_the_frechet_distance_and_the_card_says_of_what() -> None:
    generated, reference = draw(60, 0, shift=1.0), draw(80, 1)
    measurement = FAD(draws=20).measure(generated, reference)
    assert measurement.value == frechet_distance(generated.features, reference.features)
    assert measurement.card["generated"] == 60
    assert measurement.card["reference"] == 80
    assert measurement.card["dimensions"] == 4
    assert measurement.card["draws"] == 20


def test_the_interval_holds_the_value_and_narrows_with_more_clips() -> None:
    reference = draw(2000, 1)
    widths = []
    for clips in (50, 800):
        measurement = FAD().measure(draw(clips, 2, shift=1.0), reference)
        low, high = measurement.interval
        assert low < measurement.value < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2.5  # 4 in theory


def test_intervals_hold_what_other_samples_of_the_same_size_give() -> None:
    """Values of other draws of as many clips lie within the interval about as often as it promises."""
    reference = draw(3000, 1)
    low, high = FAD(coverage=0.9).measure(draw(200, 2, shift=1.0), reference).interval
    width = (high - low) / 2
    values = torch.tensor(
        [frechet_distance(draw(200, seed, shift=1.0).features, reference.features) for seed in range(100, 200)]
    )
    inside = ((values - values.mean()).abs() < width).double().mean()
    assert 0.8 <= float(inside) <= 0.98


def test_equal_seeds_give_equal_intervals_and_no_draws_none() -> None:
    generated, reference = draw(30, 0), draw(30, 1)
    assert FAD().measure(generated, reference) == FAD().measure(generated, reference)
    assert FAD(seed=1).measure(generated, reference).interval != FAD().measure(generated, reference).interval
    without = FAD(draws=0).measure(generated, reference)
    assert without.interval == (without.value, without.value)
    assert without.card["interval"] == "none"


def test_an_interval_never_reaches_below_zero() -> None:
    features = draw(30, 0)
    assert FAD().measure(features, features).interval[0] == 0


def test_one_clip_is_too_few() -> None:
    with pytest.raises(GenaudioError, match="the generated clips' features: one row"):
        FAD().measure(draw(1, 0), draw(9, 1))
