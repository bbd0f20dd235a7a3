"""The log-normal distribution of training noise levels."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from genaudio.training.noise.log_normal import LogNormal

COUNT = 100_000


def test_moments_of_the_logarithm() -> None:
    logs = LogNormal(mean=-0.4, std=1.3).sample(COUNT, torch.Generator().manual_seed(0)).log()
    deviation = 1.3 / math.sqrt(COUNT)
    assert logs.mean().item() == pytest.approx(-0.4, abs=5 * deviation)
    assert logs.std().item() == pytest.approx(1.3, abs=5 * deviation)
    skewness = ((logs + 0.4) / 1.3).pow(3).mean().item()
    assert skewness == pytest.approx(0, abs=5 * math.sqrt(6 / COUNT))


def test_the_defaults_are_those_of_edm() -> None:
    assert (LogNormal().mean, LogNormal().std) == (-1.2, 1.2)


def test_levels_are_positive_float64_on_the_cpu() -> None:
    sigma = LogNormal(std=3.0).sample(1000, torch.Generator().manual_seed(1))
    assert sigma.shape == (1000,)
    assert (sigma.dtype, sigma.device.type) == (torch.float64, "cpu")
    assert (sigma > 0).all()


def test_levels_are_a_function_of_the_generator() -> None:
    first, again, other = (LogNormal().sample(8, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    before = torch.get_rng_state()
    LogNormal().sample(8, torch.Generator().manual_seed(5))
    assert torch.equal(before, torch.get_rng_state())


def test_a_deviation_must_be_positive() -> None:
    with pytest.raises(ValidationError, match="std"):
        LogNormal(std=0.0)
