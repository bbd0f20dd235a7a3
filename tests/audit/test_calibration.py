"""Thresholds on scores whose distribution is known."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio.audit.calibration import FEWEST, calibrate, tail_quantile
from genaudio.core.errors import DataError


def gumbel(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -(-torch.rand(count, generator=generator, dtype=torch.float64).log()).log()


def test_the_quantile_of_an_exponential_tail_is_right() -> None:
    values = -torch.rand(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64).log()
    for rate in (0.05, 0.01, 0.001):
        assert tail_quantile(values, rate, 0.2) == pytest.approx(-math.log(rate), rel=0.02)


def test_few_clips_keep_the_rate_on_average() -> None:
    """The predictive level: over many calibrations with 40 exponential scores, 1% of the next scores exceed it."""
    generator = torch.Generator().manual_seed(2)
    samples = -torch.rand(4000, 40, generator=generator, dtype=torch.float64).log()
    exceeded = torch.tensor([tail_quantile(sample, 0.01, 0.2) for sample in samples]).neg().exp().mean()
    assert float(exceeded) == pytest.approx(0.01, rel=0.25)


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_no_more_than_the_rate_exceeds_the_thresholds_of_classes_that_differ(rate: float) -> None:
    """Three classes with other locations and spreads, 40 clips each: most calibrations keep the rate over all."""
    classes = {"a": (0.0, 1.0), "b": (3.0, 1.0), "c": (1.0, 2.0)}
    kept = []
    for seed in range(20):
        scores: list[float] = []
        labels: list[str] = []
        for label, (location, spread) in classes.items():
            scores += (location + spread * gumbel(40, 3 * seed + len(labels))).tolist()
            labels += [label] * 40
        found = calibrate(scores, labels, rate=rate, tail=0.2, seed=0)
        rates = [
            float((location + spread * gumbel(20_000, 999) > found.threshold(label)).double().mean())
            for label, (location, spread) in classes.items()
        ]
        kept.append(sum(rates) / 3 <= rate)
    assert sum(kept) >= 15


def test_a_class_without_clips_has_the_common_threshold() -> None:
    found = calibrate(gumbel(60, 1).tolist(), ["a"] * 60, rate=0.05, tail=0.2, seed=0)
    assert found.threshold("unknown") == found.thresholds[None]


def test_thresholds_move_and_scale_with_the_scores() -> None:
    scores = gumbel(100, 4)
    labels = ["a", "b"] * 50
    one = calibrate(scores.tolist(), labels, rate=0.02, tail=0.2, seed=3)
    other = calibrate((10 + 3 * scores).tolist(), labels, rate=0.02, tail=0.2, seed=3)
    for label in ("a", "b", None):
        assert other.threshold(label) == pytest.approx(10 + 3 * one.threshold(label))


def test_a_class_whose_scores_are_mostly_one_value_has_a_threshold_within_reach() -> None:
    """The median distance from the median is 0 there: as a scale it would put the threshold at the sky or below all."""
    scores = [0.0] * 40 + gumbel(20, 6).abs().tolist()
    found = calibrate(scores, ["a"] * 60, rate=0.05, tail=0.2, seed=0)
    assert 0.5 * max(scores) < found.threshold("a") < 3 * max(scores)


def test_twenty_clips_put_the_threshold_neither_out_of_reach_nor_below_the_rate() -> None:
    generator = torch.Generator().manual_seed(7)
    thresholds = torch.tensor(
        [
            calibrate(sample.tolist(), [None] * FEWEST, rate=0.01, tail=0.2, seed=0).threshold(None)
            for sample in torch.randn(20, FEWEST, generator=generator, dtype=torch.float64)
        ],
        dtype=torch.float64,
    )
    assert 2.33 < float(thresholds.median()) < 6  # 2.33: what 1% of a normal distribution exceeds
    assert float(torch.special.erfc(thresholds / math.sqrt(2)).mean() / 2) <= 0.01


def test_a_lower_rate_and_fewer_clips_mean_higher_thresholds() -> None:
    scores = gumbel(400, 5).tolist()
    levels = [calibrate(scores, [None] * 400, rate=r, tail=0.2, seed=0).threshold(None) for r in (0.1, 0.05, 0.01)]
    assert levels == sorted(levels)
    excesses = torch.tensor([0.0] * 80 + [1.0] * 20, dtype=torch.float64)
    assert tail_quantile(excesses[::4], 0.01, 0.3) > tail_quantile(excesses, 0.01, 0.3)


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(DataError, match=f"{FEWEST - 1} clips to calibrate with") as caught:
        calibrate([0.0] * (FEWEST - 1), [None] * (FEWEST - 1), rate=0.05, tail=0.2, seed=0)
    assert "at least 20 real clips" in str(caught.value)
