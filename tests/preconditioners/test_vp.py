from __future__ import annotations

import math

import pytest
import torch

from genaudio.preconditioners.vp import VP
from genaudio.samplers.schedules import vp as schedule


def test_coefficients_are_those_of_table_1() -> None:
    for t in (1e-5, 1e-3, 0.1, 0.5, 1.0):
        sigma = math.sqrt(math.expm1(19.9 * t**2 / 2 + 0.1 * t))
        found = VP().coefficients(torch.tensor(sigma, dtype=torch.float64))
        expected = (1.0, -sigma, 1 / math.sqrt(sigma**2 + 1), 999 * t)
        assert [c.item() for c in found] == pytest.approx(expected, rel=1e-10)


def test_nothing_depends_on_the_deviation_of_the_data() -> None:
    sigma = torch.logspace(-3, 2, 6, dtype=torch.float64)
    assert all(map(torch.equal, VP().coefficients(sigma), VP(sigma_data=0.3).coefficients(sigma)))
    assert VP().denoiser(lambda x, level, condition: 0 * x)(torch.ones(1, 2), 3.0, None).tolist() == [[1, 1]]


def test_the_range_is_the_published_range_of_times() -> None:
    times = VP().coefficients(torch.tensor([VP().sigma_min, VP().sigma_max], dtype=torch.float64)).c_noise / 999
    assert times.tolist() == pytest.approx([1e-3, 1.0], rel=1e-4)
    assert times[1] <= 1


def test_the_schedule_of_the_same_name_is_uniform_in_what_the_network_sees() -> None:
    sigmas = schedule.VP(beta_min=0.2, beta_d=15.0).sigmas(12, 0.01, 100.0)[:-1]
    times = VP(beta_min=0.2, beta_d=15.0, num_times=500).coefficients(sigmas).c_noise
    torch.testing.assert_close(times.diff(), times.diff()[:1].expand(11), rtol=1e-9, atol=0)


def test_the_published_noise_has_the_rates_of_this_one() -> None:
    assert VP(beta_d=15.0).published_noise == {"type": "vp", "beta_min": 0.1, "beta_d": 15.0}
