"""Distributions of training noise levels, held to their closed forms by quantiles and the Kolmogorov-Smirnov test."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from genaudio import create
from genaudio.core.errors import GenaudioError
from genaudio.plugins.builtin import BUILTINS
from genaudio.training.noise.base import NoiseDistribution
from genaudio.training.noise.cosine import Cosine
from genaudio.training.noise.flow import Flow
from genaudio.training.noise.log_normal import LogNormal
from genaudio.training.noise.log_uniform import LogUniform
from genaudio.training.noise.logit_normal import LogitNormal
from genaudio.training.noise.scaled import ScaledDistribution
from genaudio.training.noise.vp import VP

COUNT = 50_000
Array = np.ndarray
Cdf = Callable[[Array], Array]
LIMIT = math.atan(math.exp(-10.0))


def clipped(cdf: Cdf) -> Cdf:
    return lambda sigma: np.clip(cdf(sigma), 0, 1)


# Each with its distribution function P(level <= sigma), from its definition in the paper.
CASES: dict[str, tuple[NoiseDistribution, Cdf]] = {
    "log_normal": (LogNormal(mean=-0.4, std=1.3), lambda s: stats.norm.cdf((np.log(s) + 0.4) / 1.3)),
    "log_uniform": (LogUniform(), clipped(lambda s: np.log(s / 0.02) / np.log(100 / 0.02))),
    "vp": (VP(), clipped(lambda s: ((np.sqrt(0.01 + 39.8 * np.log1p(s**2)) - 0.1) / 19.9 - 1e-5) / (1 - 1e-5))),
    "cosine": (Cosine(sigma_data=0.4), clipped(lambda s: (np.arctan(s / 0.4) - LIMIT) / (np.pi / 2 - 2 * LIMIT))),
    "flow": (Flow(sigma_data=0.4), clipped(lambda s: (s / (0.4 + s) - 1e-5) / (0.999 - 1e-5))),
    "flow, shifted": (
        Flow(sigma_data=0.4, shift=3.0, t_min=0.1),
        clipped(lambda s: (s / (3 * 0.4 + s) - 0.1) / (0.999 - 0.1)),
    ),
    "logit_normal": (
        LogitNormal(sigma_data=0.4, mean=0.5, std=0.8),
        lambda s: stats.norm.cdf((stats.logistic.ppf(s / (0.4 + s)) - 0.5) / 0.8),
    ),
}
every = pytest.mark.parametrize("name", CASES)


def draw(distribution: NoiseDistribution, count: int = COUNT, seed: int = 0) -> torch.Tensor:
    return distribution.sample(count, torch.Generator().manual_seed(seed))


def test_every_built_in_is_here() -> None:
    assert {name.split(",")[0] for name in CASES} == {name for kind, name, *_ in BUILTINS if kind == "noise"}


@every
def test_levels_follow_the_distribution_function(name: str) -> None:
    distribution, cdf = CASES[name]
    assert stats.kstest(draw(distribution).numpy(), cdf).pvalue > 0.01


@every
def test_a_tenth_of_the_levels_lies_below_each_next_decile(name: str) -> None:
    distribution, cdf = CASES[name]
    deciles = np.quantile(draw(distribution, seed=1).numpy(), np.arange(1, 10) / 10)
    np.testing.assert_allclose(cdf(deciles), np.arange(1, 10) / 10, atol=5 * 0.5 / math.sqrt(COUNT))


@every
def test_levels_are_positive_finite_float64_on_the_cpu_and_depend_on_the_generator_alone(name: str) -> None:
    distribution, _ = CASES[name]
    before = torch.get_rng_state()
    sigma = draw(distribution)
    assert (sigma.shape, sigma.dtype, sigma.device.type) == ((COUNT,), torch.float64, "cpu")
    assert bool(((sigma > 0) & sigma.isfinite()).all())
    assert torch.equal(sigma, draw(distribution))
    assert not torch.equal(sigma, draw(distribution, seed=1))
    assert torch.equal(before, torch.get_rng_state())


def test_the_ends_of_a_bounded_distribution_are_those_of_its_definition() -> None:
    ends = {
        "log_uniform": (0.02, 100.0),
        "vp": (math.sqrt(math.expm1(19.9e-10 / 2 + 1e-6)), math.sqrt(math.expm1(10.05))),
        "cosine": (0.4 * math.exp(-10), 0.4 * math.exp(10)),
        "flow": (0.4 * 1e-5, 0.4 * 999),
    }
    for name, (low, high) in ends.items():
        sigma = draw(CASES[name][0])
        assert low <= sigma.min().item() * (1 + 1e-9)
        assert sigma.max().item() <= high * (1 + 1e-9)


def test_the_logit_normal_is_a_log_normal_that_moves_with_the_data() -> None:
    logit, log = LogitNormal(sigma_data=0.3, mean=0.2, std=1.1), LogNormal(mean=0.2 + math.log(0.3), std=1.1)
    torch.testing.assert_close(draw(logit), draw(log))


@pytest.mark.parametrize("name", ["cosine", "flow", "logit_normal"])
def test_a_scaled_distribution_needs_the_deviation_and_scales_with_it(name: str) -> None:
    open_ = create("noise", name)
    assert isinstance(open_, ScaledDistribution)
    with pytest.raises(GenaudioError, match=r"(?s)sigma_data is still 'auto'.*fitted"):
        draw(open_)
    torch.testing.assert_close(draw(open_.fitted(0.2)), 0.2 * draw(open_.fitted(1.0)))
    assert type(open_)(sigma_data=0.7).fitted(0.2) == type(open_)(sigma_data=0.7)


@pytest.mark.parametrize("name", ["log_normal", "log_uniform", "vp"])
def test_other_distributions_leave_nothing_open(name: str) -> None:
    distribution = create("noise", name)
    assert isinstance(distribution, NoiseDistribution)
    assert distribution.fitted(0.2) is distribution


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LogUniform(sigma_min=3.0, sigma_max=3.0), "sigma_min 3 is not below sigma_max 3"),
        (lambda: Flow(t_min=0.9, t_max=0.5), "t_min 0.9 is not below t_max 0.5"),
        (lambda: Flow(t_max=1.0), "less than 1"),
        (lambda: VP(t_min=0.0), "greater than 0"),
        (lambda: LogitNormal(std=0.0), "greater than 0"),
        (lambda: Cosine(log_snr_limit=0.0), "greater than 0"),
    ],
)
def test_parameters_that_make_no_distribution_are_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        make()
