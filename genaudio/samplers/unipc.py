"""UniPC (Zhao et al. 2023, arXiv 2302.04867)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Family
from genaudio.samplers.stages import Planner, StagedSolver, Step, multistep_plan
from genaudio.samplers.warmup import DESCRIPTION, Warmup, multistep_evaluations, starting_steps


class UniPC(StagedSolver):
    """UniP-p and UniC-p: a predictor of order p and, for no further evaluation, a corrector of order p + 1.

    One evaluation a step, and what the warm-up takes more.

    The exponential predictor-corrector in ln(sigma), but for updates through two predictions, where the published
    method has 1/2 in the place of the integral (Algorithms 5 to 8 with B(h) = h or e^h - 1); from three on its linear
    system has the exact weights for a solution, whatever B is. `exponential_integrator` with `corrector: true` has the
    exact weights throughout.
    """

    predictor_order: Literal[1, 2, 3] = parameter(3, description="Order p of the predictor", source="arXiv 2302.04867")
    variant: Literal["bh1", "bh2"] = parameter(
        "bh2", description="B(h) of the updates through two predictions: h, or e^h - 1", source="arXiv 2302.04867"
    )
    prediction: Literal["data", "noise"] = parameter("data", description="What the polynomial goes through")
    corrector: bool = parameter(True, description="UniC after each step of UniP")
    warmup: Warmup = parameter("auto", description=DESCRIPTION)

    @property
    def order(self) -> int:
        """p, and one more with the corrector."""
        return self.predictor_order + self.corrector

    def evaluations(self, num_steps: int) -> int:
        """One a step, and what the warm-up takes more."""
        return multistep_evaluations(num_steps, starting_steps(self.warmup, self.order, num_steps))

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        steps = len(levels) - 1
        planner = Planner(Family(self.prediction), self._rule, corrector=self.corrector)
        starts = starting_steps(self.warmup, self.order, steps)
        return multistep_plan(planner, levels, [self.predictor_order] * steps, starts, extrapolate=self.order > 1)

    def _rule(self, s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """Half of the difference to the other prediction over r, times B(h), where there are two (rho = 1/2)."""
        if len(nodes) != 2 or s not in nodes:
            return Family(self.prediction).update(s, t, nodes)
        signed = math.log(t / s) if self.prediction == "data" else math.log(s / t)  # hh of the paper's code: -h or h
        first = math.expm1(signed)
        scale = first if self.variant == "bh2" else signed
        r = math.log(s / next(node for node in nodes if node != s)) / math.log(s / t)
        outer = 1.0 if self.prediction == "data" else t
        other = -outer * scale * 0.5 / r
        weights = [-outer * first - other if node == s else other for node in nodes]
        if self.prediction == "data":
            return t / s, tuple(weights)
        return 1.0, tuple(weight / node for weight, node in zip(weights, nodes, strict=True))
