"""Guidance in an interval: where it acts, and what is evaluated elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.guidance.autoguidance import Autoguidance
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.compose import compose
from genaudio.samplers.guidance.interval import Interval

LEVELS = (80.0, 5.001, 5.0, 1.0, 0.101, 0.1, 0.01)
INSIDE = (False, False, True, True, True, False, False)  # of 0.1 < sigma <= 5


def test_it_is_open_below_and_closed_above(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    denoiser = gaussian()
    guided = compose([CFG(scale=3.0), Interval(low=0.1, high=5.0)], denoiser, condition, null)
    for sigma, inside in zip(LEVELS, INSIDE, strict=True):
        alone = compose([CFG(scale=3.0)] if inside else [], gaussian(), condition, null)
        assert torch.equal(guided(x, sigma), alone(x, sigma))
    assert denoiser.batches == [6 if inside else 3 for inside in INSIDE]


def test_it_limits_what_is_before_it_and_nothing_behind(
    gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    strong, first, second = gaussian(), gaussian(1.0), gaussian(2.0)
    guidance = [
        CFG(scale=3.0),
        Autoguidance(model="first"),
        Interval(low=0.1, high=5.0),
        Autoguidance(model="second"),
    ]
    guided = compose(guidance, strong, condition, null, {"first": first, "second": second})
    outside = guided(x, 20.0)
    assert (strong.batches, first.batches, second.batches) == ([3], [], [3])
    conditional = gaussian()(x, 20.0, condition)
    torch.testing.assert_close(outside, 2 * conditional - gaussian(2.0)(x, 20.0))
    guided(x, 2.0)
    assert (strong.batches, first.batches, second.batches) == ([3, 6], [3], [3, 3])


def test_two_intervals_are_nested(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    """The first limits cfg, the second both: a weak model has a wider interval than cfg."""
    guidance = [
        CFG(scale=3.0),
        Interval(low=0.5, high=2.0),
        Autoguidance(model="weak"),
        Interval(low=0.1, high=10.0),
    ]
    strong, weak = gaussian(), gaussian(1.0)
    guided = compose(guidance, strong, condition, null, {"weak": weak})
    for sigma in (50.0, 5.0, 1.0, 0.2, 0.05):
        guided(x, sigma)
    assert strong.batches == [3, 3, 6, 3, 3]
    assert len(weak.batches) == 3


@pytest.mark.parametrize(("low", "high"), [(3.0, 2.0), (2.0, 2.0)])
def test_low_lies_below_high(low: float, high: float) -> None:
    with pytest.raises(GenaudioError, match=rf"low {low:g} and high {high:g}\n\s+expected  low below high"):
        Interval(low=low, high=high)
