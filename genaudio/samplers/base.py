"""The contract of solvers, and the one loop that they share.

Shapes: x (batch, ...), any float dtype; sigmas (num_steps + 1,), float64 on the CPU, falling, often to 0, or
rising from a level above 0, which turns a clip into its noise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError

Denoiser = Callable[[Tensor, float], Tensor]  # D(x, sigma): estimate of the clean x; sigma is a Python float
Callback = Callable[[int, int], None]  # (steps done, steps in all)
# One generator for the whole batch, or one for each item, so that an item's noise does not depend on its neighbours.
Generators = torch.Generator | Sequence[torch.Generator]

_HALF = (torch.float16, torch.bfloat16)


class Solver(Component, ABC):
    """Integrates dx/dsigma = (x - D(x; sigma)) / sigma from the first noise level to the last.

    A method that takes the levels as they come is a `StepSolver`; one with a mind of its own (that
    chooses its steps, say) extends this class and writes `solve`.
    """

    if TYPE_CHECKING:  # a property of some solvers and a field of others, which pydantic keeps apart at run time

        @property
        def order(self) -> int:
            """Order of convergence in the number of steps; of a stochastic solver, with its noise turned off."""

    @property
    def stochastic(self) -> bool:
        """Whether fresh noise is drawn on the way; such a solver cannot run backwards."""
        return False

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> Solver:
        """This solver with what it leaves open settled: the data's standard deviation, a choice by budget and size.

        `nfe` is the budget in evaluations (or in steps, where that is what was asked for); `dimensions` are the numbers
        that make up one item of x, if they are known. Most solvers leave nothing open.
        """
        return self

    @abstractmethod
    def evaluations(self, num_steps: int) -> int | None:
        """Evaluations of the denoiser over a schedule of `num_steps` steps that ends at sigma = 0.

        None for an adaptive solver, which takes only the ends of a schedule and chooses its own steps.
        """

    @abstractmethod
    def solve(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        generator: Generators | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """The end of the trajectory that starts at `x` at noise level `sigmas[0]`; `x` is left untouched.

        The result has the dtype and device of `x`. Gradients flow through; wrap the call in `torch.no_grad()` where
        none are wanted. Raises `GenaudioError` for sigmas that are no schedule.
        """

    def num_steps(self, nfe: int) -> int:
        """The most steps whose evaluations do not exceed `nfe`: at least 1, at most `nfe`.

        Raises `GenaudioError` for an adaptive solver.
        """
        steps = 1
        while steps < nfe and self._evaluations(steps + 1) <= nfe:
            steps += 1
        return steps

    def prepared(self, denoiser: Denoiser, x: Tensor, sigmas: Tensor) -> tuple[Denoiser, Tensor, tuple[float, ...]]:
        """What every `solve` starts from: the denoiser, x in the dtype to work in, the levels; all of them checked.

        Half precision is worked on in float32, while the denoiser still sees the given dtype.
        """
        levels = checked_levels(sigmas)
        if self.stochastic and levels[0] < levels[-1]:
            raise GenaudioError(
                f"sigmas rises from {levels[0]:g} to {levels[-1]:g}, and {type(self).__name__} adds fresh noise",
                expected="falling noise levels: a path with fresh noise cannot be run backwards",
                mend="turn the solver's noise off (eta or s_churn: 0), or choose a deterministic solver",
            )
        if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim == 0:
            given = f"x is {x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else f"x is a {type(x).__name__}"
            raise GenaudioError(given, expected="a float tensor (batch, ...)")
        given_dtype = x.dtype
        working_dtype = torch.float32 if given_dtype in _HALF else given_dtype

        def denoise(y: Tensor, sigma: float) -> Tensor:
            clean = denoiser(y.to(given_dtype), sigma)
            if clean.shape != y.shape:
                raise GenaudioError(
                    f"the denoiser returned {tuple(clean.shape)} for x of {tuple(y.shape)}",
                    expected="an estimate of the clean x, of the shape of x",
                )
            return clean.to(working_dtype)

        return denoise, x.to(working_dtype), levels

    def _evaluations(self, num_steps: int) -> int:
        count = self.evaluations(num_steps)
        if count is None:
            raise GenaudioError(
                "a budget of evaluations for an adaptive solver",
                expected="none: it takes as many as its tolerance asks for",
                mend="leave nfe out and set the solver's tolerance, or choose a solver with fixed steps",
            )
        return count


class StepSolver(Solver):
    """A solver that is `plan`, `init` and `step`, all pure.

    `plan` works out every coefficient once, in float64 on the host; `step` is then a few fused tensor operations that
    never wait for the device. `solve` is the loop over them.
    """

    @abstractmethod
    def plan(self, levels: Sequence[float]) -> Sequence[Any]:
        """The coefficients of each step from `levels[i]` to `levels[i + 1]`, one record a step."""

    def init(self, x: Tensor) -> Any:
        """The state before the first step; a one-step method has none."""
        return ()

    @abstractmethod
    def step(
        self, denoiser: Denoiser, x: Tensor, state: Any, coefficients: Any, generator: Generators | None = None
    ) -> tuple[Tensor, Any]:
        """One step: x at the next level, and the next state. `coefficients` is the step's record of the plan.

        Neither `x` nor `state` is modified.
        """

    def solve(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        generator: Generators | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """The end of the trajectory that starts at `x` at noise level `sigmas[0]`.

        Half-precision input is stepped in float32 (the denoiser still sees the given dtype), since thousands of small
        updates would be lost to rounding.
        """
        denoise, y, levels = self.prepared(denoiser, x, sigmas)
        plan = self.plan(levels)
        state = self.init(y)
        for index, coefficients in enumerate(plan):
            y, state = self.step(denoise, y, state, coefficients, generator)
            if callback is not None:
                callback(index + 1, len(plan))
        return y.to(x.dtype)


def checked_levels(sigmas: Tensor) -> tuple[float, ...]:
    """The noise levels as Python floats.

    Raises `GenaudioError` unless they are finite, at least 0, and strictly falling, or strictly rising from above 0.
    """
    if not isinstance(sigmas, Tensor):
        raise GenaudioError(f"sigmas is a {type(sigmas).__name__}", expected="a tensor (num_steps + 1,)")
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise GenaudioError(
            f"sigmas has the shape {tuple(sigmas.shape)}",
            expected="(num_steps + 1,) with at least one step",
            mend="take them from a schedule: schedule.sigmas(num_steps, sigma_min, sigma_max)",
        )
    if sigmas.is_complex() or sigmas.dtype == torch.bool:
        raise GenaudioError(f"sigmas is {sigmas.dtype}", expected="real noise levels, best in float64")
    levels = tuple(float(level) for level in sigmas.detach().to("cpu", torch.float64).tolist())
    for index, level in enumerate(levels):
        if not math.isfinite(level) or level < 0:
            raise GenaudioError(f"sigmas[{index}] is {level}", expected="finite noise levels, none below 0")
    rising = levels[0] < levels[-1]
    for index in range(1, len(levels)):
        if levels[index] == levels[index - 1] or (levels[index] > levels[index - 1]) != rising:
            raise GenaudioError(
                f"sigmas[{index - 1}] is {levels[index - 1]:g} and sigmas[{index}] is {levels[index]:g}",
                expected=f"each noise level {'higher' if rising else 'lower'} than the one before",
                mend="sort them in descending order, each once (sigmas.unique().flip(0))",
            )
    if rising and levels[0] == 0:
        raise GenaudioError(
            "sigmas rises from 0, where no denoiser is defined",
            expected="a first level above 0",
            mend="start at sigma_min: schedule.sigmas(…)[:-1].flip(0)",
        )
    return levels
