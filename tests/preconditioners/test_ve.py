from __future__ import annotations

import math

import pytest
import torch

from genaudio.preconditioners.ve import VE


@pytest.mark.parametrize("sigma", [0.02, 1.0, 100.0])
def test_coefficients_are_those_of_table_1_whatever_the_data(sigma: float) -> None:
    for preconditioner in (VE(), VE(sigma_data=0.3)):
        found = preconditioner.coefficients(torch.tensor(sigma, dtype=torch.float64))
        assert [c.item() for c in found] == pytest.approx((1.0, sigma, 1.0, math.log(sigma / 2)), rel=1e-12, abs=1e-15)


def test_the_range_and_the_noise_are_the_published_ones() -> None:
    assert (VE().sigma_min, VE().sigma_max) == (0.02, 100.0)
    assert VE().published_noise == {"type": "log_uniform", "sigma_min": 0.02, "sigma_max": 100.0}
    assert VE(sigma_max=50.0).published_noise["sigma_max"] == 50.0
