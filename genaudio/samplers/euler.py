"""Euler's method."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from genaudio.samplers.base import Denoiser, Generators, StepSolver


class Euler(StepSolver):
    """One evaluation a step, order 1: x' = D + (sigma' / sigma) (x - D).

    In this space it is the same as DDIM with eta = 0 (Song et al. 2021, arXiv 2010.02502, Eq. 12) and as DPM-Solver++
    of order 1; the step to sigma = 0 is D itself.
    """

    @property
    def order(self) -> int:
        """1."""
        return 1

    def evaluations(self, num_steps: int) -> int:
        """One a step."""
        return num_steps

    def plan(self, levels: Sequence[float]) -> list[tuple[float, float]]:
        """(sigma, 1 - sigma' / sigma) of each step."""
        return [(level, 1 - following / level) for level, following in pairwise(levels)]

    def step(
        self,
        denoiser: Denoiser,
        x: Tensor,
        state: Any,
        coefficients: tuple[float, float],
        generator: Generators | None = None,
    ) -> tuple[Tensor, Any]:
        """x + (1 - sigma' / sigma) (D - x)."""
        sigma, weight = coefficients
        return torch.lerp(x, denoiser(x, sigma), weight), state
