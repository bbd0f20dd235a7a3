"""SDE-DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095, Section 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.base import Denoiser, Generators, StepSolver
from genaudio.samplers.brownian import NOISE_DESCRIPTION, BrownianPath, Noise, noise_source
from genaudio.samplers.dpm import dpm_rule
from genaudio.samplers.exponential import Family
from genaudio.samplers.noise import FreshNoise
from genaudio.samplers.stages import Planner, Predictions, Step, multistep_plan, run_step
from genaudio.samplers.warmup import DESCRIPTION, Warmup, multistep_evaluations, starting_steps

_State = tuple[Predictions, BrownianPath | FreshNoise | None]


@dataclass(frozen=True)
class _Step:
    """The step from level `s` to `t` without its noise, and the noise's standard deviation."""

    mean: Step
    s: float
    t: float
    noise: float


class DPMSDE(StepSolver):
    """DPM-Solver++ multistep with fresh noise (SDE-DPM-Solver++ 1, 2M and 3M): one evaluation a step.

    `eta` scales the noise of the reverse SDE: 1 is the paper's, 0 the deterministic `dpm`, to which it is equal. The
    linear part is solved exactly, (t / s)^(1 + eta) x + noise of variance t^2 (1 - (t / s)^(2 eta)), and D is a
    polynomial in ln(sigma), as in `dpm`. With noise the order is 1 along a path of the noise, whatever `order` says;
    the higher ones have the smaller constant. The step to sigma = 0 is then D itself, and the start is ramped: both
    extrapolation to 0 and a first step of several stages would take noise for slope.
    """

    order: Literal[1, 2, 3] = parameter(2, description="Order of convergence without noise", source="arXiv 2211.01095")
    eta: float = parameter(1.0, ge=0, le=10, description="Amount of fresh noise; 0: none", source="arXiv 2211.01095")
    s_noise: float = parameter(1.0, ge=0, description="Factor on the fresh noise's standard deviation")
    noise: Noise = parameter("fresh", description=NOISE_DESCRIPTION)
    published: bool = parameter(
        False, description="The formula of order 3 as published, which is of order 2 without noise; see `dpm`"
    )
    warmup: Warmup = parameter("auto", description=f"Without noise only. {DESCRIPTION}")

    @property
    def stochastic(self) -> bool:
        """With eta above 0."""
        return self.eta > 0

    def evaluations(self, num_steps: int) -> int:
        """One a step, and without noise what the warm-up takes more."""
        return multistep_evaluations(num_steps, self._starts(num_steps))

    def plan(self, levels: Sequence[float]) -> list[_Step]:
        """The stages and the noise of each step."""
        rule, power = dpm_rule("data", self.order, self.published), 1 + self.eta

        def faster(s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
            """With noise, x decays as the rule has it in the clock (1 + eta) ln(sigma)."""
            return rule(s**power, t**power, [node**power for node in nodes])

        steps = len(levels) - 1
        means = multistep_plan(
            Planner(Family("data"), faster),
            levels,
            [self.order] * steps,
            self._starts(steps),
            extrapolate=self.order > 1 and not self.stochastic,
        )
        return [
            _Step(mean, s, t, self.s_noise * t * math.sqrt(1 - (t / s) ** (2 * self.eta)) if self.eta else 0.0)
            for mean, (s, t) in zip(means, pairwise(levels), strict=True)
        ]

    def init(self, x: Tensor) -> _State:
        """No predictions and no noise yet."""
        return {}, None

    def step(
        self, denoiser: Denoiser, x: Tensor, state: _State, coefficients: _Step, generator: Generators | None = None
    ) -> tuple[Tensor, _State]:
        """The step's mean, and the noise."""
        predictions, source = state
        x, predictions = run_step(denoiser, x, predictions, coefficients.mean)
        if coefficients.noise > 0:
            source = source or noise_source(self.noise, generator, self.eta)
            x = torch.add(x, source.unit(x, coefficients.s, coefficients.t), alpha=coefficients.noise)
        return x, (predictions, source)

    def _starts(self, num_steps: int) -> tuple[int, ...]:
        if self.stochastic or self.published:
            return ()
        return starting_steps(self.warmup, self.order, num_steps)
