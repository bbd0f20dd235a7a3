"""Euler's method with ancestral noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.base import Denoiser, Generators, StepSolver
from genaudio.samplers.brownian import NOISE_DESCRIPTION, BrownianPath, Noise, noise_source
from genaudio.samplers.noise import FreshNoise


@dataclass(frozen=True)
class _Step:
    """Euler's step from `sigma` goes `weight` of the way to D, below `following`; `noise` lifts it back up."""

    sigma: float
    following: float
    weight: float
    noise: float  # standard deviation


class EulerAncestral(StepSolver):
    """One evaluation a step: Euler's step to a level below the next one, then fresh noise up to it.

    With eta = 1 a step is a draw from the Gaussian posterior of DDPM in this space (Song et al. 2021, arXiv 2010.02502,
    Eq. 12 and 16, with the same eta up to 1); with 0 it is Euler's method. The noise forgets earlier errors and costs
    accuracy: it needs many more steps than a deterministic solver to reach the data's distribution. The step to
    sigma = 0 is D itself, without noise.
    """

    eta: float = parameter(
        1.0,
        ge=0,
        le=10,
        description="Amount of fresh noise; 0: none",
        source="arXiv 2010.02502, Eq. 16, with alpha = 1",
    )
    s_noise: float = parameter(1.0, ge=0, description="Factor on the fresh noise's standard deviation")
    noise: Noise = parameter("fresh", description=NOISE_DESCRIPTION)

    @property
    def order(self) -> int:
        """1, without noise."""
        return 1

    @property
    def stochastic(self) -> bool:
        """With eta above 0."""
        return self.eta > 0

    def evaluations(self, num_steps: int) -> int:
        """One a step."""
        return num_steps

    def plan(self, levels: Sequence[float]) -> list[_Step]:
        """How each step's level splits into what Euler reaches and what noise adds: their squares sum up to its own."""
        plan = []
        for level, following in pairwise(levels):
            # Above 1 the noise can be no more than all of the level.
            up = min(1.0, self.eta * math.sqrt(1 - (following / level) ** 2)) if self.eta else 0.0
            down = following * math.sqrt(1 - up**2)
            plan.append(_Step(level, following, 1 - down / level, self.s_noise * following * up))
        return plan

    def init(self, x: Tensor) -> BrownianPath | FreshNoise | None:
        """No noise has been asked for yet."""
        return None

    def step(
        self,
        denoiser: Denoiser,
        x: Tensor,
        state: BrownianPath | FreshNoise | None,
        coefficients: _Step,
        generator: Generators | None = None,
    ) -> tuple[Tensor, BrownianPath | FreshNoise | None]:
        """Euler's step, and the noise."""
        x = torch.lerp(x, denoiser(x, coefficients.sigma), coefficients.weight)
        if coefficients.noise > 0:
            # For short steps the noise is that of a path of rate eta^2; for eta = 1 it is exactly that, however long.
            state = state or noise_source(self.noise, generator, self.eta**2)
            unit = state.unit(x, coefficients.sigma, coefficients.following)
            x = torch.add(x, unit, alpha=coefficients.noise)
        return x, state
