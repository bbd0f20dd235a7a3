"""The conformance kit for guidance: the built-in ones conform, and what breaks a promise is caught."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from genaudio.plugins.builtin import BUILTINS
from genaudio.plugins.testing import ConformanceError, check_guidance
from genaudio.samplers.guidance.apg import APG
from genaudio.samplers.guidance.autoguidance import Autoguidance
from genaudio.samplers.guidance.base import Estimate, Estimates, Guidance
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.interval import Interval
from genaudio.samplers.guidance.rescale import Rescale

CONFORMING = [
    CFG(scale=3.0),
    CFG(scale=0.0),
    APG(),
    APG(eta=0.5, norm_threshold=2.0, momentum=0.9),
    Autoguidance(model="runs/weak"),
    Autoguidance(model="runs/weak", scale=0.0),
    Interval(low=0.1, high=5.0),
    Rescale(),
    Rescale(phi=1.0),
]


@pytest.mark.parametrize("guidance", CONFORMING, ids=repr)
def test_built_in_guidance_conforms(guidance: Guidance) -> None:
    check_guidance(guidance)


def test_all_of_them_are_checked() -> None:
    names = {target.partition(":")[2] for kind, _, target, _ in BUILTINS if kind == "guidance"}
    with_a_file = {"AntiMemorization"}  # which tests/samplers/guidance/test_anti_memorization.py checks
    assert {type(guidance).__name__ for guidance in CONFORMING} == names - with_a_file


class _Secretive(CFG):
    """It reads the null estimate, which it does not say."""

    def needs(self, sigma: float) -> frozenset[Estimate]:
        return frozenset({"guided", "conditional"})


class _Undeclared(CFG):
    """It needs the null estimate, which the class does not say."""

    uses = frozenset()


class _Blind(CFG):
    """It goes on from what was guided, which it does not say."""

    def needs(self, sigma: float) -> frozenset[Estimate]:
        return super().needs(sigma) - {"guided"}


class _Unknown(CFG):
    """It needs what there is not."""

    def needs(self, sigma: float) -> Any:
        return {*super().needs(sigma), "better"}


class _Mixing(CFG):
    """It lets the items of a batch see each other."""

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        result, state = super().guide(guided, estimates, sigma, state)
        return result - 1e-3 * result.mean(0, keepdim=True), state


class _Writing(CFG):
    """It works in the tensor that it was given."""

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        return guided.mul_(self.scale), state


class _Widening(CFG):
    """It returns float64 whatever it is given."""

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        result, state = super().guide(guided, estimates, sigma, state)
        return result.double(), state


class _Forgetful(CFG):
    """It keeps its state in an object that it modifies."""

    def init(self) -> dict[str, int]:
        return {"calls": 0}

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        state["calls"] += 1
        return guided + state["calls"], state


class _Overflowing(CFG):
    """It takes a norm in the precision that it is given, and divides by it."""

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        squares = guided.square().sum((1, 2, 3), keepdim=True)
        return guided * (squares / squares), state


class _Looking(CFG):
    """It decides by the values of a tensor."""

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        return (2 * guided if bool(guided.isfinite().all()) else guided), state


@pytest.mark.parametrize(
    ("guidance", "words"),
    [
        (_Secretive(scale=2.0), "at sigma 1e+06 it reads 'null', which its needs do not name"),
        (_Undeclared(scale=2.0), "it needs null, which its class attribute `uses` leaves out"),
        (_Blind(scale=2.0), "its result is not finite (its needs do not name 'guided')"),
        (_Unknown(scale=2.0), "it needs 'better'; there is conditional, guided, null, weak"),
        (_Mixing(scale=2.0), "item 0 comes out otherwise alone than in a batch"),
        (_Writing(scale=2.0), "it modifies its input"),
        (_Widening(scale=2.0), "at sigma 1e+06 in float32 it changes shape, dtype or device"),
        (_Forgetful(scale=2.0), "it modifies its state"),
        (_Overflowing(scale=2.0), "in float16 its result is not finite"),
        (_Looking(scale=2.0), "at sigma 1e+06 it looks at values, for which a GPU is waited for"),
        (CFG(scale=1.0), "it needs nothing at any noise level"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Guidance) else "",
)
def test_guidance_that_breaks_a_promise_is_caught(guidance: Guidance, words: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_guidance(guidance)
    assert words in str(caught.value)
