from __future__ import annotations

import pytest
import torch

from genaudio.samplers.schedules.exponential import Exponential
from genaudio.samplers.schedules.polynomial import Polynomial


@pytest.mark.parametrize("rho", [0.5, 1.0, 1.5, 3.0])
def test_the_root_of_the_logarithm_is_uniform(rho: float) -> None:
    sigmas = Polynomial(rho=rho).sigmas(25, 0.002, 80.0)[:-1]
    root = ((sigmas / 0.002).log() / torch.tensor(80.0 / 0.002, dtype=torch.float64).log()).clamp(0) ** (1 / rho)
    torch.testing.assert_close(root, torch.linspace(1, 0, 25, dtype=torch.float64), rtol=0, atol=1e-9)


def test_rho_1_is_exponential() -> None:
    torch.testing.assert_close(Polynomial(rho=1.0).sigmas(30, 0.01, 10.0), Exponential().sigmas(30, 0.01, 10.0))


def test_a_larger_rho_puts_more_levels_near_the_low_end() -> None:
    below = [int((Polynomial(rho=rho).sigmas(100, 0.01, 100.0) < 1).sum()) for rho in (0.5, 1.0, 2.0)]
    assert below[0] < below[1] < below[2]
