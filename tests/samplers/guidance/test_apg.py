"""Adaptive projected guidance: each of its three steps by itself, and what is left without them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.samplers.guidance.apg import APG
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.compose import compose


def inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


def update_of(guidance: APG, conditional: Tensor, null: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    """What is added to the conditional estimate, for a scale of 1 more, and the next state."""
    result, state = guidance.guide(conditional, {"conditional": conditional, "null": null}, 1.0, state)
    return (result - conditional) / (guidance.scale - 1), state


@pytest.mark.parametrize("scale", [1.5, 4.0])
def test_with_all_steps_off_it_is_classifier_free_guidance(
    scale: float, gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    plain = APG(scale=scale, eta=1.0, momentum=0.0, norm_threshold=None)
    guided, reference = (compose([g], gaussian(), condition, null) for g in (plain, CFG(scale=scale)))
    for sigma in (3.0, 1.0, 0.1):
        torch.testing.assert_close(guided(x, sigma), reference(x, sigma))


def test_eta_0_adds_nothing_along_the_conditional_estimate(drawn: Any) -> None:
    _, conditional, null = drawn()
    update, _ = update_of(APG(eta=0.0, momentum=0.0), conditional, null)
    torch.testing.assert_close(inner(update, conditional), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    # what is across the conditional estimate is all there: the rest of the difference is a multiple of the estimate
    rest = ((conditional - null - update) / conditional).flatten(1)
    torch.testing.assert_close(rest, rest[:, :1].expand_as(rest))


def test_eta_is_the_share_of_the_parallel_part(drawn: Any) -> None:
    _, conditional, null = drawn()
    whole = inner(conditional - null, conditional)
    for eta in (0.25, 1.0, 2.0):
        update, _ = update_of(APG(eta=eta, momentum=0.0), conditional, null)
        torch.testing.assert_close(inner(update, conditional), eta * whole)


def test_the_threshold_limits_the_norm_of_each_item_and_keeps_its_direction(drawn: Any) -> None:
    _, conditional, null = drawn()
    null = conditional + (null - conditional) * torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)[:, None, None, None]
    difference = conditional - null
    norms = difference.flatten(1).norm(dim=1)
    threshold = float(norms[1]) * 0.9  # between the first and the others
    update, _ = update_of(APG(eta=1.0, momentum=0.0, norm_threshold=threshold), conditional, null)
    torch.testing.assert_close(update.flatten(1).norm(dim=1), norms.clamp(max=threshold))
    torch.testing.assert_close(inner(update, difference), update.flatten(1).norm(dim=1) * norms)


def test_momentum_is_a_running_sum_before_the_threshold(drawn: Any) -> None:
    first, second, third = (d - 1 for d in drawn())
    guidance = APG(eta=1.0, momentum=-0.5)
    nothing = torch.zeros_like(first)
    state, updates = guidance.init(), []
    for conditional in (first, second, third):
        update, state = update_of(guidance, conditional, nothing, state)
        updates.append(update)
    torch.testing.assert_close(updates[0], first)
    torch.testing.assert_close(updates[1], second - 0.5 * first)
    torch.testing.assert_close(updates[2], third - 0.5 * second + 0.25 * first)

    limited = APG(eta=1.0, momentum=-0.5, norm_threshold=1e-3)
    _, kept = update_of(limited, first, nothing, limited.init())
    assert torch.equal(kept, first)


def test_scale_1_needs_nothing_and_below_is_refused() -> None:
    assert APG(scale=1.0).needs(1.0) == frozenset()
    with pytest.raises(ValueError, match="scale"):
        APG(scale=0.5)


def test_after_other_guidance_the_update_is_added(drawn: Any) -> None:
    guided, conditional, null = drawn()
    guidance = APG(scale=3.0)
    result, _ = guidance.guide(guided, {"conditional": conditional, "null": null}, 1.0, None)
    update, _ = update_of(guidance, conditional, null)
    torch.testing.assert_close(result, guided + 2 * update)


def test_zero_estimates_have_no_direction(drawn: Any) -> None:
    _, _, null = drawn()
    update, _ = update_of(APG(eta=0.0, norm_threshold=1.0), torch.zeros_like(null), null)
    assert bool(update.isfinite().all())
    update, _ = update_of(APG(eta=0.0, norm_threshold=1.0), null, null)
    assert bool((update == 0).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_projected_in_float32(dtype: torch.dtype, drawn: Any) -> None:
    guidance = APG(eta=0.0, momentum=0.0, norm_threshold=40.0)
    _, conditional, null = (60 * d for d in drawn(2, 2, 64, 64, dtype=dtype))  # sums of squares are beyond float16
    result, _ = guidance.guide(conditional, {"conditional": conditional, "null": null}, 1.0, None)
    exact, _ = guidance.guide(
        conditional.double(), {"conditional": conditional.double(), "null": null.double()}, 1.0, None
    )
    assert result.dtype == dtype
    torch.testing.assert_close(result, exact.to(dtype))
