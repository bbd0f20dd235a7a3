"""Intervals of a mean, whose width theory knows."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio.evaluation.bootstrap import bootstrap, centred_interval, half_samples

VALUES = torch.randn(400, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
ERROR = float(VALUES.std()) / math.sqrt(len(VALUES))


def test_a_bootstrap_of_the_mean_has_its_standard_error() -> None:
    drawn = bootstrap(lambda clips: float(VALUES[clips].mean()), 400, draws=2000, seed=0)
    assert float(drawn.std()) == pytest.approx(ERROR, rel=0.06)
    assert float(drawn.mean()) == pytest.approx(float(VALUES.mean()), abs=4 * ERROR / math.sqrt(2000))


def test_half_samples_of_a_difference_of_means_have_its_standard_error() -> None:
    other = 3 * VALUES[:300].flip(0)
    drawn = half_samples(
        lambda ours, theirs: float(VALUES[ours].mean() - other[theirs].mean()), (400, 300), draws=2000, seed=0
    )
    error = math.hypot(ERROR, float(other.std()) / math.sqrt(300))
    assert float(drawn.std()) == pytest.approx(error, rel=0.06)


def test_halves_hold_no_clip_twice() -> None:
    seen = []
    half_samples(lambda ours, theirs: seen.append((ours, theirs)) or 0.0, (9, 6), draws=5, seed=0)
    assert [(len(ours.unique()), len(theirs.unique())) for ours, theirs in seen] == [(4, 3)] * 5


def test_the_interval_is_laid_around_the_value_whatever_the_draws_mean() -> None:
    drawn = torch.arange(101, dtype=torch.float64)
    assert centred_interval(drawn, 7.0, 0.9) == pytest.approx((7 - 45, 7 + 45))
    assert centred_interval(torch.empty(0), 7.0, 0.9) == (7, 7)


def test_equal_seeds_draw_alike() -> None:
    first, again, other = (bootstrap(lambda clips: float(clips[0]), 50, draws=20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
