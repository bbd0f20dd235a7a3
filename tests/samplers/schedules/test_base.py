"""What every schedule that warps a ramp promises: ends, order, errors."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio import create
from genaudio.core.errors import GenaudioError
from genaudio.plugins.builtin import BUILTINS
from genaudio.samplers.schedules.base import RampSchedule, ScaledSchedule
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.schedules.polynomial import Polynomial

NAMES = [name for kind, name, *_ in BUILTINS if kind == "schedule" and name not in ("explicit", "tuned")]
RANGES = [(0.002, 80.0), (1e-5, 3e4), (0.5, 0.6)]


def fitted(name: str, sigma_data: float = 0.5) -> RampSchedule:
    schedule = create("schedule", name).fitted(sigma_data, 20)  # type: ignore[attr-defined]
    assert isinstance(schedule, RampSchedule)
    return schedule


every_ramp = pytest.mark.parametrize("name", NAMES)


@every_ramp
@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("num_steps", [2, 3, 18, 2000])
def test_levels_fall_between_exact_ends(name: str, low: float, high: float, num_steps: int) -> None:
    schedule = fitted(name)
    sigmas = schedule.sigmas(num_steps, low, high)
    assert sigmas.shape == (num_steps + 1,)
    assert (sigmas.dtype, sigmas.device.type) == (torch.float64, "cpu")
    last = max(low, 0.5 * getattr(schedule, "lowest", 0.0))  # of `auto` with 20 steps a level above sigma_min
    assert sigmas[[0, -2, -1]].tolist() == [high, last, 0.0]
    assert (sigmas.diff() < 0).all()


@every_ramp
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_rounding_at_the_ends_is_all_that_making_them_exact_changes(name: str, low: float, high: float) -> None:
    raw = fitted(name).levels(torch.tensor([0.0, 1.0], dtype=torch.float64), low, high)
    assert raw.tolist() == pytest.approx([high, low], rel=1e-9)


@every_ramp
def test_a_single_step_starts_at_the_top(name: str) -> None:
    assert fitted(name).sigmas(1, 0.002, 80.0).tolist() == [80.0, 0.0]


@every_ramp
@pytest.mark.parametrize(
    ("num_steps", "low", "high", "text"),
    [
        (0, 0.1, 1.0, r"(?s)num_steps is 0.*at least 1"),
        (5, 1.0, 1.0, r"(?s)sigma_min is 1 and sigma_max is 1.*0 < sigma_min < sigma_max"),
        (5, 80.0, 0.002, r"sigma_min is 80 and sigma_max is 0.002"),
        (5, 0.0, 1.0, r"sigma_min is 0"),
        (5, math.nan, 1.0, r"sigma_min is nan"),
        (1, 0.1, math.inf, r"sigma_max is inf"),
    ],
)
def test_what_is_no_range_is_refused(name: str, num_steps: int, low: float, high: float, text: str) -> None:
    with pytest.raises(GenaudioError, match=text):
        fitted(name).sigmas(num_steps, low, high)


@pytest.mark.parametrize("schedule", [Polynomial(rho=40.0), Karras(rho=0.001)], ids=repr)
def test_levels_that_float64_does_not_tell_apart_are_refused(schedule: RampSchedule) -> None:
    with pytest.raises(GenaudioError, match=r"(?s)2000 steps from 80 to 0.002 with .*rho=.*take fewer steps"):
        schedule.sigmas(2000, 0.002, 80.0)


@pytest.mark.parametrize("name", [name for name in NAMES if issubclass(type(create("schedule", name)), ScaledSchedule)])
def test_a_scaled_schedule_needs_the_deviation_and_scales_with_it(name: str) -> None:
    open_, unit = create("schedule", name), fitted(name, 1.0)
    assert isinstance(open_, ScaledSchedule)
    with pytest.raises(GenaudioError, match=r"(?s)sigma_data is still 'auto'.*fitted"):
        open_.sigmas(5, 0.01, 10.0)
    scaled = open_.fitted(0.2, 5).sigmas(9, 0.2 * 0.01, 0.2 * 10.0)
    torch.testing.assert_close(scaled, 0.2 * unit.sigmas(9, 0.01, 10.0), rtol=1e-12, atol=0)
    assert type(open_)(sigma_data=0.7).fitted(0.2, 5) == type(open_)(sigma_data=0.7)
