"""Heun's method as EDM uses it, with churn (Karras et al. 2022, arXiv 2206.00364, Algorithms 1 and 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.base import Denoiser, Generators, StepSolver
from genaudio.samplers.exponential import extrapolation_to_zero
from genaudio.samplers.noise import randn_like

_SOURCE = "arXiv 2206.00364, Algorithm 2"


@dataclass(frozen=True)
class _Step:
    """A step's levels: where D is first evaluated, where the step ends, and the noise that lifts x to the first."""

    sigma: float
    following: float
    noise: float  # standard deviation of the noise that is added before the step; 0: none
    keeps: bool = False  # whether the step to 0 extrapolates from D at `sigma` as well
    kept_weight: float = 0.0  # of the step to 0: the share of that D


class Heun(StepSolver):
    """Two evaluations a step, order 2; one for the step to sigma = 0.

    That last step is Euler's in EDM (`finish: euler`), whose error no finer schedule lowers; here D is extrapolated
    to 0, from levels without fresh noise between them. With `s_churn` above 0 each step first adds fresh noise and
    raises the noise level to match; that is EDM's stochastic sampler, which converges to the distribution rather than
    to one trajectory. At 0 nothing is drawn. Poor below about 20 evaluations.
    """

    s_churn: float = parameter(0.0, ge=0, description="Fresh noise over the whole trajectory; 0: none", source=_SOURCE)
    s_min: float = parameter(0.0, ge=0, description="Lowest noise level that gets fresh noise", source=_SOURCE)
    s_max: float | None = parameter(
        None, ge=0, description="Highest noise level that gets fresh noise; null: no limit", source=_SOURCE
    )
    s_noise: float = parameter(1.0, ge=0, description="Standard deviation of the fresh noise", source=_SOURCE)
    finish: Literal["extrapolate", "euler"] = parameter(
        "extrapolate", description="The step to sigma = 0: D extrapolated from two levels, or D at the last (EDM's)"
    )

    @property
    def order(self) -> int:
        """2, without churn."""
        return 2

    @property
    def stochastic(self) -> bool:
        """With churn."""
        return self.s_churn > 0

    def evaluations(self, num_steps: int) -> int:
        """Two a step but one for the last."""
        return 2 * num_steps - 1

    def plan(self, levels: Sequence[float]) -> list[_Step]:
        """Each step's raised level and noise (Algorithm 2, lines 4 to 6), and how the last gets to 0."""
        steps = len(levels) - 1
        s_max = math.inf if self.s_max is None else self.s_max
        plan = []
        for level, following in pairwise(levels):
            gamma = min(self.s_churn / steps, math.sqrt(2) - 1) if self.s_min <= level <= s_max else 0.0
            raised = level * (1 + gamma)
            plan.append(_Step(raised, following, self.s_noise * level * math.sqrt(gamma * (2 + gamma))))
        return self._extrapolating(plan) if levels[-1] == 0 and self.finish == "extrapolate" else plan

    @staticmethod
    def _extrapolating(plan: list[_Step]) -> list[_Step]:
        """The plan with a last step through an earlier D: the newest at twice the level, no fresh noise in between."""
        last = plan[-1]
        for index in range(len(plan) - 2, -1, -1):
            if plan[index + 1].noise > 0:
                break
            if plan[index].sigma >= 2 * last.sigma:
                _, weight = extrapolation_to_zero(last.sigma, plan[index].sigma)
                kept = replace(plan[index], keeps=True)
                return [*plan[:index], kept, *plan[index + 1 : -1], replace(last, kept_weight=weight)]
        return plan

    def init(self, x: Tensor) -> Tensor | None:
        """The D that the step to 0 extrapolates from, once there is one."""
        return None

    def step(
        self,
        denoiser: Denoiser,
        x: Tensor,
        state: Tensor | None,
        coefficients: _Step,
        generator: Generators | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Euler's step, then the mean of it and of the step with the slope at its end (Algorithm 2, lines 7 to 11)."""
        sigma, following = coefficients.sigma, coefficients.following
        if coefficients.noise > 0:
            x = torch.add(x, randn_like(x, generator), alpha=coefficients.noise)
        clean = denoiser(x, sigma)
        if following == 0:
            return clean if state is None else torch.lerp(clean, state, coefficients.kept_weight), None
        if coefficients.keeps:
            state = clean
        euler = torch.lerp(x, clean, 1 - following / sigma)
        # x + (step / 2) (slope + slope') with both slopes written out is the mean of x and of this:
        other = torch.lerp(euler, denoiser(euler, following), sigma / following - 1)
        return torch.lerp(x, other, 0.5), state
