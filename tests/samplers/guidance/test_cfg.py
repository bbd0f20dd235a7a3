"""Classifier-free guidance: its algebra and its evaluations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.compose import compose
from genaudio.samplers.schedules.karras import Karras


@pytest.mark.parametrize("scale", [0.0, 0.3, 0.5, 1.0, 3.0, 15.0])
def test_it_is_a_line_through_both_estimates(
    scale: float, gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    with_condition, without = gaussian()(x, 2.0, condition), gaussian()(x, 2.0, null)
    guided = compose([CFG(scale=scale)], gaussian(), condition, null)(x, 2.0)
    torch.testing.assert_close(guided, without + scale * (with_condition - without))


@pytest.mark.parametrize("scale", [0.3, 2.3, 7.1])
def test_alone_it_is_one_interpolation_to_the_bit(
    scale: float, gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    x, condition, null = x.float(), condition.float(), null.float()
    guided = compose([CFG(scale=scale)], gaussian(), condition, null)(x, 2.0)
    conditional, unconditional = gaussian()(torch.cat([x, x]), 2.0, torch.cat([condition, null])).chunk(2)
    assert torch.equal(guided, torch.lerp(unconditional, conditional, scale))


def test_of_two_gaussians_it_is_the_denoiser_of_their_weighted_product(x: Tensor) -> None:
    """p1^w p0^(1-w) of noisy densities N(m, v) has the precision w/v1 + (1-w)/v0, and its score gives D."""
    sigma, scale = 0.8, 2.5
    means, deviations = (1.5, -0.5), (0.4, 1.2)  # with the condition, without

    def denoiser(y: Tensor, level: float, which: Tensor | None) -> Tensor:
        assert which is not None
        mean = means[1] + which * (means[0] - means[1])
        variance = (deviations[1] + which * (deviations[0] - deviations[1])) ** 2
        return (variance * y + level**2 * mean) / (variance + level**2)

    flag = torch.ones(3, 1, dtype=torch.float64)
    guided = compose([CFG(scale=scale)], denoiser, flag, flag - 1)(x, sigma)
    weights = scale, 1 - scale
    precisions = [w / (s**2 + sigma**2) for w, s in zip(weights, deviations, strict=True)]
    mean = sum(p * m for p, m in zip(precisions, means, strict=True)) / sum(precisions)
    torch.testing.assert_close(guided, x - sigma**2 * sum(precisions) * (x - mean))


def test_a_trajectory_of_equal_spread_ends_about_the_extrapolated_mean(
    gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    scale, spread = 3.0, 0.5
    sigmas = Karras().sigmas(60, 0.002, 10.0)
    end = ExponentialIntegrator(order=3).solve(
        compose([CFG(scale=scale)], gaussian(spread), condition, null), x, sigmas
    )
    mean = scale * condition  # the null condition has the mean 0
    torch.testing.assert_close(end, mean + (x - mean) * spread / (spread**2 + 100.0) ** 0.5, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("scale", "batch"), [(0.0, 3), (1.0, 3), (0.5, 6), (4.0, 6)])
def test_one_evaluation_doubled_only_where_both_are_needed(
    scale: float, batch: int, gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    denoiser = gaussian()
    compose([CFG(scale=scale)], denoiser, condition, null)(x, 2.0)
    assert denoiser.batches == [batch]


def test_the_ends_are_the_plain_models_bit_for_bit(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    plain = gaussian()
    assert torch.equal(compose([CFG(scale=1.0)], gaussian(), condition, null)(x, 2.0), plain(x, 2.0, condition))
    assert torch.equal(compose([CFG(scale=0.0)], gaussian(), condition, null)(x, 2.0), plain(x, 2.0, null))


def test_equal_conditions_leave_nothing_to_guide(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    guided = compose([CFG(scale=7.0)], gaussian(), condition, condition)(x, 2.0)
    torch.testing.assert_close(guided, gaussian()(x, 2.0, condition))


def test_items_do_not_depend_on_their_neighbours(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    sigmas = torch.tensor([2.0, 1.0, 0.0])
    together = Euler().solve(compose([CFG(scale=3.0)], gaussian(), condition, null), x, sigmas)
    for i in range(3):
        part = slice(i, i + 1)
        alone = Euler().solve(compose([CFG(scale=3.0)], gaussian(), condition[part], null[part]), x[part], sigmas)
        assert torch.equal(together[part], alone)


def test_a_scale_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="scale"):
        CFG(scale=-1.0)
