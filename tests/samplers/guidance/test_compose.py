"""Lists of guidance: order, what is evaluated, state, errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.euler import Euler
from genaudio.samplers.guidance.apg import APG
from genaudio.samplers.guidance.autoguidance import Autoguidance
from genaudio.samplers.guidance.base import Estimate, Estimates, Guidance, listed
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.compose import compose
from genaudio.samplers.guidance.interval import Interval
from genaudio.samplers.guidance.rescale import Rescale


class Affine(Guidance):
    """guided -> factor guided + shift: what two of them give depends on their order."""

    factor: float = 1.0
    shift: float = 0.0

    def needs(self, sigma: float) -> frozenset[Estimate]:
        return frozenset({"guided"})

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        assert not estimates
        return self.factor * guided + self.shift, state


def test_no_guidance_is_the_conditional_model(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    denoiser = gaussian()
    assert torch.equal(compose([], denoiser, condition, null)(x, 2.0), gaussian()(x, 2.0, condition))
    assert denoiser.batches == [3]


def test_each_goes_on_from_the_one_before(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    double, shift = Affine(factor=2.0), Affine(shift=5.0)
    plain = gaussian()(x, 2.0, condition)
    assert torch.equal(compose([double, shift], gaussian(), condition)(x, 2.0), 2 * plain + 5)
    assert torch.equal(compose([shift, double], gaussian(), condition)(x, 2.0), 2 * (plain + 5))


def test_differences_add_up(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    """cfg and autoguidance measure their differences from the model's own estimates, so their order does not matter."""
    weak = gaussian(1.5)
    pair = [CFG(scale=3.0), Autoguidance(model="weak", scale=2.0)]
    conditional, without = gaussian()(x, 2.0, condition), gaussian()(x, 2.0, null)
    bad = weak(x, 2.0, condition)
    expected = conditional + 2 * (conditional - without) + (conditional - bad)
    for some in (pair, pair[::-1]):
        guided = compose(some, gaussian(), condition, null, {"weak": lambda y, sigma: weak(y, sigma, condition)})
        torch.testing.assert_close(guided(x, 2.0), expected)


def test_one_call_for_condition_and_null_and_one_for_each_weak_model(
    gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    strong, first, second = gaussian(), gaussian(1.0), gaussian(2.0)
    weak = [Autoguidance(model=name, scale=2.0) for name in ("first", "second", "first")]
    models = {"first": first, "second": second, "unused": gaussian()}
    guidance = [CFG(scale=3.0), *weak, APG(), Rescale()]
    compose(guidance, strong, condition, null, models)(x, 2.0)
    assert [d.batches for d in (strong, first, second, models["unused"])] == [[6], [3], [3], []]


def test_what_a_later_one_does_not_look_at_is_not_evaluated(
    gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    strong, weak = gaussian(), gaussian(1.0)
    guidance = [Autoguidance(model="weak", scale=2.0), CFG(scale=0.0)]
    guided = compose(guidance, strong, condition, null, {"weak": weak})(x, 2.0)
    assert torch.equal(guided, gaussian()(x, 2.0, null))
    assert (strong.batches, weak.batches) == ([3], [])


def test_a_weak_model_alone_leaves_the_strong_one_unasked(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    strong, weak = gaussian(), gaussian(1.0)
    guided = compose([Autoguidance(model="weak", scale=0.0)], strong, condition, weak={"weak": weak})(x, 2.0)
    assert torch.equal(guided, gaussian(1.0)(x, 2.0))
    assert (strong.batches, weak.batches) == ([], [3])


def test_guidance_is_given_what_it_needs_and_nothing_else(
    gaussian: Any, x: Tensor, condition: Tensor, null: Tensor
) -> None:
    seen: list[set[str]] = []

    class Curious(Affine):
        """It looks at all that it is given."""

        def needs(self, sigma: float) -> frozenset[Estimate]:
            return frozenset({"guided", "conditional"})

        def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
            seen.append(set(estimates))
            return guided, state

    compose([CFG(scale=3.0), Curious()], gaussian(), condition, null)(x, 2.0)
    assert seen == [{"conditional"}]


class Counting(Affine):
    """Its state is the number of evaluations before; it adds that."""

    def init(self) -> int:
        return 0

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        return guided + state, state + 1


def test_state_belongs_to_one_trajectory_and_one_place_in_the_list(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    plain = gaussian()(x, 2.0, condition)
    for _ in range(2):  # a new one begins again
        guided = compose([Counting(), Counting()], gaussian(), condition)
        for evaluation in range(3):
            torch.testing.assert_close(guided(x, 2.0), plain + 2 * evaluation)


def test_state_stands_still_where_its_guidance_is_idle(gaussian: Any, x: Tensor, condition: Tensor) -> None:
    guided = compose([Counting(), Interval(low=1.0, high=3.0)], gaussian(), condition)
    found = [float((guided(x, sigma) - gaussian()(x, sigma, condition)).mean()) for sigma in (2.0, 5.0, 0.5, 2.0)]
    assert found == pytest.approx([0, 0, 0, 1])


def test_a_model_without_condition_can_be_autoguided(gaussian: Any, x: Tensor) -> None:
    strong, weak = gaussian(0.5, mean=1.0), gaussian(2.0)
    guided = compose([Autoguidance(model="weak", scale=3.0)], strong, weak={"weak": weak})(x, 2.0)
    expected = gaussian(2.0)(x, 2.0) + 3 * (gaussian(0.5, mean=1.0)(x, 2.0) - gaussian(2.0)(x, 2.0))
    torch.testing.assert_close(guided, expected)


def test_a_whole_list_keeps_items_apart(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    guidance = [APG(norm_threshold=1.0), Interval(low=0.5, high=3.0), Autoguidance(model="weak"), Rescale()]
    sigmas = torch.tensor([4.0, 2.0, 1.0, 0.4, 0.0])

    def solve(rows: slice) -> Tensor:
        weak = gaussian(1.0)
        denoiser = compose(
            guidance, gaussian(), condition[rows], null[rows], {"weak": lambda y, s: weak(y, s, condition[rows])}
        )
        return Euler().solve(denoiser, x[rows], sigmas)

    together = solve(slice(0, 3))
    for i in range(3):
        torch.testing.assert_close(solve(slice(i, i + 1))[0], together[i], rtol=1e-12, atol=1e-12)


def test_listed() -> None:
    one = CFG()
    assert listed(None) == ()
    assert listed(one) == (one,)
    assert listed((one, one)) == (one, one)


def test_errors(gaussian: Any, x: Tensor, condition: Tensor, null: Tensor) -> None:
    with pytest.raises(GenaudioError, match=r"(?s)condition is \(3, 1\) and null is \(1, 1\).*for each item"):
        compose([CFG()], gaussian(), condition, null[:1])
    with pytest.raises(GenaudioError, match="3 conditions for a batch of 2"):
        compose([CFG(scale=2.0)], gaussian(), condition, null)(x[:2], 1.0)
    with pytest.raises(GenaudioError, match=r"(?s)CFG without condition and null.*trained without it now and then"):
        compose([CFG(scale=2.0)], gaussian())
    with pytest.raises(GenaudioError, match="Autoguidance without its weak model 'other'"):
        compose([Autoguidance(model="other")], gaussian(), weak={"weak": gaussian()})
