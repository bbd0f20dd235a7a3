"""The solver that measured best for the budget at hand."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.base import Callback, Denoiser, Generators, Solver, checked_levels
from genaudio.samplers.defaults import band
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.sigma_data import SigmaData, number

_FINE = 128  # steps from which on the start keeps the order; below, its evaluations are worth more as steps


class Auto(Solver):
    """An exponential integrator on velocity prediction, the rest chosen by the evaluations and the size of an item.

    One evaluation a step, order 3 to 5; from 128 steps on 6 more evaluations, so that the start keeps the order.

    The choice (`genaudio/samplers/defaults.py`) is from docs/solver-laboratory.md and goes with `schedule: auto`. A
    manifest names what was chosen. With guidance that is strong and steps that are few, a lower order is safer:
    `solver: {type: exponential_integrator, prediction: velocity, order: 2}`.
    """

    sigma_data: SigmaData = parameter("auto", description="Standard deviation of the data; auto: the model's")

    @property
    def order(self) -> int:
        """5, from 128 steps on; below, what the budget makes worth while."""
        return 5

    def evaluations(self, num_steps: int) -> int:
        """One a step, from 128 steps on 6 more."""
        return self._chosen(num_steps, number(self.sigma_data)).evaluations(num_steps)

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> ExponentialIntegrator:
        """The solver for a budget of `nfe` evaluations, and items of so many numbers (None: few)."""
        return self._chosen(nfe, sigma_data if self.sigma_data == "auto" else self.sigma_data, dimensions)

    def solve(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        generator: Generators | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """The end of the trajectory, by the solver for as many evaluations as there are steps."""
        steps = len(checked_levels(sigmas)) - 1
        chosen = self._chosen(steps, number(self.sigma_data), math.prod(x.shape[1:]))
        return chosen.solve(denoiser, x, sigmas, generator=generator, callback=callback)

    def _chosen(self, nfe: int, sigma_data: float, dimensions: int | None = None) -> ExponentialIntegrator:
        chosen = band(nfe, dimensions)
        return ExponentialIntegrator(
            order=chosen.order,
            prediction="velocity",
            corrector=chosen.corrector,
            basis=chosen.basis,
            sigma_data=chosen.scale * sigma_data,
            warmup="singlestep" if nfe >= _FINE else "ramp",
        )
