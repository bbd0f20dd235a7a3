from __future__ import annotations

import math

import pytest
import torch

from genaudio.samplers.schedules.vp import VP, sigma_of_time, time_of_sigma


def test_times_fall_uniformly_from_1_to_the_published_end() -> None:
    """Table 1 of EDM: t_i = 1 + i / (N - 1) (epsilon_s - 1), sigma_i = sqrt(exp(19.9 t^2 / 2 + 0.1 t) - 1)."""
    expected = [
        math.sqrt(math.exp(19.9 * t * t / 2 + 0.1 * t) - 1) for t in (1 + i / 11 * (1e-3 - 1) for i in range(12))
    ]
    sigmas = VP().sigmas(12, expected[-1], expected[0])
    assert sigmas[:-1].tolist() == pytest.approx(expected, rel=1e-10)


def test_the_noise_is_the_integral_of_its_rate() -> None:
    """sigma^2 + 1 = exp of the integral of beta(s) = beta_min + beta_d s from 0 to t."""
    grid = torch.linspace(0, 0.6, 20001, dtype=torch.float64)
    integral = torch.trapezoid(0.3 + 7.0 * grid, grid)
    assert sigma_of_time(grid[-1], 0.3, 7.0).item() == pytest.approx(math.sqrt(math.expm1(integral.item())), rel=1e-9)


@pytest.mark.parametrize("sigma", [1e-8, 1e-4, 0.01, 1.0, 80.0, 1e5])
def test_level_and_time_are_inverse(sigma: float) -> None:
    time = torch.tensor(time_of_sigma(sigma, 0.1, 19.9), dtype=torch.float64)
    assert sigma_of_time(time, 0.1, 19.9).item() == pytest.approx(sigma, rel=1e-10)
