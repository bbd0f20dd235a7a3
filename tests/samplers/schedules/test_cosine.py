from __future__ import annotations

import math

import pytest
import torch

from genaudio.samplers.schedules.cosine import Cosine


@pytest.mark.parametrize("sigma_data", [0.3, 1.0])
def test_the_angle_falls_uniformly(sigma_data: float) -> None:
    sigmas = Cosine(sigma_data=sigma_data).sigmas(50, 0.002, 80.0)[:-1]
    times = (sigmas / sigma_data).atan() * 2 / math.pi
    gaps = times.diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), rtol=1e-9, atol=0)


def test_it_is_the_log_snr_of_the_published_code() -> None:
    """ln SNR(u) = -2 ln tan(a u + b) between ln SNR = 20 at u = 0 and -20 at u = 1."""
    b = math.atan(math.exp(-10.0))
    a = math.atan(math.exp(10.0)) - b
    sigmas = Cosine(sigma_data=1.0).sigmas(9, math.exp(-10.0), math.exp(10.0))
    expected = [math.exp(math.log(math.tan(a * (8 - i) / 8 + b))) for i in range(9)]
    assert sigmas[:-1].tolist() == pytest.approx(expected, rel=1e-9)


def test_the_middle_level_of_a_range_symmetric_about_the_data_is_that_of_the_data() -> None:
    assert Cosine(sigma_data=0.5).sigmas(5, 0.005, 50.0)[2].item() == pytest.approx(0.5, rel=1e-12)


def test_a_range_of_many_decades_keeps_its_digits() -> None:
    """Near 90 degrees tan loses what the complement keeps: neighbours of the top follow 1 / angle."""
    sigmas = Cosine(sigma_data=1.0).sigmas(3, 1e-12, 1e12)
    assert sigmas.tolist() == pytest.approx([1e12, 1.0, 1e-12, 0.0], rel=1e-12)
    top = Cosine(sigma_data=1.0).sigmas(1001, 1e9, 1e12)
    middle = 2 / (1 / 1e9 + 1 / 1e12)  # small angles: 1 / sigma is uniform
    assert top[500].item() == pytest.approx(middle, rel=1e-9)
