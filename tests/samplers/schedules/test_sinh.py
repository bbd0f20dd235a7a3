"""The schedule that is dense around one level."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio.samplers.schedules.exponential import Exponential
from genaudio.samplers.schedules.sinh import Sinh


def test_the_levels_are_uniform_in_the_inverse_of_the_warp() -> None:
    sigmas = Sinh(centre=0.4, width_above=0.6, width_below=1.7, sigma_data=0.3).sigmas(40, 0.002, 80.0)[:-1]

    def position(sigma: float) -> float:
        away = math.log(sigma / 0.3) - 0.4
        if away >= 0:
            return math.asinh(away / 0.6)
        return math.asinh(away / 1.7) * 1.7 / 0.6

    steps = torch.tensor([position(sigma) for sigma in sigmas.tolist()], dtype=torch.float64).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, steps[0].item()), rtol=1e-9, atol=1e-12)


def test_wide_on_both_sides_it_is_uniform_in_log_sigma() -> None:
    wide = Sinh(width_above=1e5, width_below=1e5, sigma_data=0.5).sigmas(30, 0.002, 80.0)
    torch.testing.assert_close(wide, Exponential().sigmas(30, 0.002, 80.0), rtol=1e-7, atol=0)


def test_the_finest_step_in_log_sigma_is_at_the_centre() -> None:
    sigmas = Sinh(centre=0.2, width_above=0.5, width_below=0.9, sigma_data=0.5).sigmas(60, 0.002, 80.0)[:-1]
    steps = -sigmas.log().diff()
    middle = (sigmas[1:] * sigmas[:-1]).sqrt()
    assert math.log(middle[steps.argmin()].item() / 0.5) == pytest.approx(0.2, abs=0.1)
    assert steps.max() > 3 * steps.min()


@pytest.mark.parametrize(("low", "high"), [(2.0, 80.0), (0.002, 0.05)])
def test_a_range_on_one_side_of_the_centre_will_do(low: float, high: float) -> None:
    sigmas = Sinh(centre=0.0, sigma_data=0.5).sigmas(20, low, high)
    assert bool((sigmas.diff() < 0).all())
    assert sigmas[0] == high
    assert sigmas[-2] == low


def test_it_stops_at_its_lowest_level_where_that_lies_in_the_range() -> None:
    schedule = Sinh(centre=0.5, sigma_data=0.4, lowest=0.25)
    sigmas = schedule.sigmas(6, 0.002, 80.0)
    assert sigmas[-2:].tolist() == [0.1, 0.0]
    torch.testing.assert_close(sigmas, Sinh(centre=0.5, sigma_data=0.4).sigmas(6, 0.1, 80.0), rtol=0, atol=0)
    for low, high in ((0.2, 80.0), (0.002, 0.05)):  # below the range, above the range
        assert schedule.sigmas(6, low, high)[-2] == low
