"""Karras' schedule."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.karras import Karras


@pytest.mark.parametrize("rho", [1.0, 4.0, 7.0, 9.0])
@pytest.mark.parametrize("num_steps", [2, 3, 18, 1000])
def test_it_is_uniform_in_the_root_with_exact_ends(rho: float, num_steps: int) -> None:
    sigmas = Karras(rho=rho).sigmas(num_steps, 0.002, 80.0)
    assert sigmas.shape == (num_steps + 1,)
    assert (sigmas.dtype, sigmas.device.type) == (torch.float64, "cpu")
    assert sigmas[[0, -2, -1]].tolist() == [80.0, 0.002, 0.0]
    assert (sigmas.diff() < 0).all()
    gaps = (sigmas[:-1] ** (1 / rho)).diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), rtol=1e-6, atol=1e-12)


def test_equation_5_of_edm() -> None:
    expected = (80 ** (1 / 7) + 5 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert Karras().sigmas(18, 0.002, 80.0)[5].item() == pytest.approx(expected, rel=1e-12)


def test_a_large_rho_tends_to_levels_uniform_in_log_sigma() -> None:
    sigmas = Karras(rho=1e5).sigmas(4, 0.01, 10.0)
    assert sigmas[:-1].log10().tolist() == pytest.approx([1, 0, -1, -2], abs=1e-3)


def test_a_single_step_starts_at_the_top() -> None:
    assert Karras().sigmas(1, 0.002, 80.0).tolist() == [80.0, 0.0]


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
def test_errors(num_steps: int, low: float, high: float, text: str) -> None:
    with pytest.raises(GenaudioError, match=text):
        Karras().sigmas(num_steps, low, high)
