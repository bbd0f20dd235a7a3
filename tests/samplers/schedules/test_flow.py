from __future__ import annotations

import pytest
import torch

from genaudio.samplers.schedules.flow import Flow


def times(sigmas: torch.Tensor, sigma_data: float) -> torch.Tensor:
    return sigmas / (sigma_data + sigmas)


@pytest.mark.parametrize("sigma_data", [0.4, 1.0])
def test_times_fall_uniformly(sigma_data: float) -> None:
    falling = times(Flow(sigma_data=sigma_data).sigmas(20, 0.001, 999.0), sigma_data)[:-1]
    gaps = falling.diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), rtol=1e-9, atol=0)


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_the_shift_is_equation_23_of_sd3(shift: float) -> None:
    """The shifted times are s t / (1 + (s - 1) t) of times that are uniform."""
    shifted = times(Flow(sigma_data=1.0, shift=shift).sigmas(20, 0.001, 999.0), 1.0)[:-1]
    plain = shifted / (shift - (shift - 1) * shifted)
    torch.testing.assert_close(shift * plain / (1 + (shift - 1) * plain), shifted)
    gaps = plain.diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), rtol=1e-9, atol=0)


def test_a_shift_above_1_puts_more_levels_near_noise() -> None:
    above = [int((Flow(sigma_data=1.0, shift=shift).sigmas(100, 0.01, 100.0) > 1).sum()) for shift in (0.5, 1.0, 3.0)]
    assert above[0] < above[1] < above[2]


def test_near_pure_noise_levels_keep_their_digits() -> None:
    """1 / sigma is nearly 1 - t there, so it is what is uniform."""
    sigmas = Flow(sigma_data=1.0).sigmas(3, 1e12, 1e15)
    assert sigmas[1].item() == pytest.approx(2 / (1e-12 + 1e-15), rel=1e-9)
