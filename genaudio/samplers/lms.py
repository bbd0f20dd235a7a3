"""The linear multistep method (Adams-Bashforth) on the plain trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Family
from genaudio.samplers.stages import Planner, StagedSolver, Step, multistep_plan
from genaudio.samplers.warmup import DESCRIPTION, Warmup, multistep_evaluations, starting_steps


class LMS(StagedSolver):
    """Adams-Bashforth on dx/dsigma = (x - D) / sigma: one evaluation a step, order 1 to 4.

    The slope is a polynomial in sigma through the last `order` slopes, integrated exactly between whatever levels the
    schedule has. In this space it is the exponential integrator on noise prediction with sigma in the place of
    ln(sigma), and order 1 is Euler's method. Sources: Liu et al. 2022 (PNDM, arXiv 2202.09778, Section 3); for steps of
    any length Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, Section III.5.

    From few evaluations it is the less accurate of the two: on the 1-D mixture of
    `benchmarks/solvers/gaussian_mixture.py`, order 3 with 10 / 20 / 50 evaluations leaves a root mean square error of
    8.2e-2 / 1.9e-2 / 2.3e-3 where `exponential_integrator` leaves 1.4e-2 / 8.0e-3 / 8.2e-4.
    """

    order: Literal[1, 2, 3, 4] = parameter(4, description="Slopes that a step uses, its order of convergence")
    warmup: Warmup = parameter("auto", description=DESCRIPTION)
    finish: Literal["extrapolate", "euler"] = parameter(
        "extrapolate",
        description="The step to sigma = 0: D extrapolated from two levels (order 2 and up), or D at the last",
    )

    def evaluations(self, num_steps: int) -> int:
        """One a step, and what the warm-up takes more."""
        return multistep_evaluations(num_steps, starting_steps(self.warmup, self.order, num_steps))

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        steps = len(levels) - 1
        starts = starting_steps(self.warmup, self.order, steps)
        extrapolate = self.finish == "extrapolate" and self.order > 1
        return multistep_plan(
            Planner(Family("noise", basis="sigma")), levels, [self.order] * steps, starts, extrapolate
        )
