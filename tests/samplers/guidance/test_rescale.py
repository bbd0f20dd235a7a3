"""Rescaled guidance: deviations of items, the mixture, degenerate estimates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.compose import compose
from genaudio.samplers.guidance.rescale import Rescale


def test_phi_1_gives_each_item_the_deviation_of_the_conditional_estimate(drawn: Any) -> None:
    guided, conditional, _ = drawn()
    guided = guided * torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)[:, None, None, None]
    result, _ = Rescale(phi=1.0).guide(guided, {"conditional": conditional}, 1.0, ())
    torch.testing.assert_close(result.flatten(1).std(1), conditional.flatten(1).std(1))
    factors = (result / guided).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))  # one factor an item


@pytest.mark.parametrize("phi", [0.3, 0.7])
def test_phi_mixes_the_rescaled_with_the_guided(phi: float, drawn: Any) -> None:
    guided, conditional, _ = drawn()
    whole, _ = Rescale(phi=1.0).guide(guided, {"conditional": conditional}, 1.0, ())
    part, _ = Rescale(phi=phi).guide(guided, {"conditional": conditional}, 1.0, ())
    torch.testing.assert_close(part, phi * whole + (1 - phi) * guided)


def test_phi_0_needs_nothing() -> None:
    assert Rescale(phi=0.0).needs(1.0) == frozenset()


def test_without_guidance_before_it_nothing_changes(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    alone = compose([Rescale()], gaussian(), condition)(x, 1.0)
    assert torch.equal(alone, gaussian()(x, 1.0, condition))


def test_it_costs_no_evaluation(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    denoiser = gaussian()
    compose([CFG(scale=4.0), Rescale()], denoiser, condition, null)(x, 1.0)
    assert denoiser.batches == [6]


def test_a_constant_estimate_stays_as_it_is() -> None:
    constant, conditional = torch.full((2, 5), 3.0), torch.randn(2, 5)
    result, _ = Rescale(phi=1.0).guide(constant, {"conditional": conditional}, 1.0, ())
    assert torch.equal(result, constant)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype, drawn: Any) -> None:
    guided, conditional, _ = drawn(2, 2, 64, 64, dtype=dtype)
    guided, conditional = 60 * guided, 60 * conditional  # the sum of squares, 3e7, is beyond float16
    result, _ = Rescale(phi=1.0).guide(guided, {"conditional": conditional}, 1.0, ())
    wanted = conditional.double().flatten(1).std(1)
    torch.testing.assert_close(result.double().flatten(1).std(1), wanted, rtol=1e-2, atol=0)
    assert result.dtype == dtype
