"""The family of two-stage Runge-Kutta methods of order 2 (Karras et al. 2022, arXiv 2206.00364, Algorithm 3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from genaudio import StepSolver, parameter
from genaudio.samplers.base import Denoiser, Generators

Step = tuple[float, float, float]  # sigma at the start of the step, at its second evaluation, and at its end


class TwoStage(StepSolver):
    """A slope at the start of the step and one within it, weighted so that the method is of order 2.

    `alpha` places the second one: 1/2 is the midpoint method, 2/3 Ralston's. At 1 it would be Heun's, which cannot take
    the step to sigma = 0 and is a solver of its own.
    """

    alpha: float = parameter(
        0.5,
        gt=0,
        lt=1,
        description="Share of the step after which the second slope is taken",
        source="arXiv 2206.00364, Algorithm 3",
    )

    @property
    def order(self) -> int:
        """2, whatever alpha is."""
        return 2

    def evaluations(self, num_steps: int) -> int:
        """Two a step."""
        return 2 * num_steps

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The three levels of each step."""
        return [(sigma, sigma + self.alpha * (following - sigma), following) for sigma, following in pairwise(levels)]

    def step(
        self, denoiser: Denoiser, x: Tensor, state: Any, coefficients: Step, generator: Generators | None = None
    ) -> tuple[Tensor, Any]:
        """x + h ((1 - 1 / (2 alpha)) d + 1 / (2 alpha) d') (Algorithm 3, lines 6 to 13)."""
        sigma, inner, following = coefficients
        h, weight = following - sigma, 1 / (2 * self.alpha)
        slope = (x - denoiser(x, sigma)) / sigma
        within = torch.add(x, slope, alpha=inner - sigma)
        second = (within - denoiser(within, inner)) / inner
        return torch.add(x, torch.lerp(slope, second, weight), alpha=h), state
