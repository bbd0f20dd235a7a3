"""DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095) and DPM-Solver (arXiv 2206.00927)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Family, integral
from genaudio.samplers.stages import Planner, Rule, StagedSolver, Step, multistep_plan, singlestep_plan
from genaudio.samplers.warmup import DESCRIPTION, Warmup, multistep_evaluations, starting_steps


class DPM(StagedSolver):
    """DPM-Solver++ (data prediction) and DPM-Solver (noise prediction), multistep (2M, 3M) or singlestep (2S, 3S).

    Order 1 to 3; multistep takes one evaluation a step and what the warm-up takes more, singlestep `order` a step.

    The published third-order multistep formula takes half of the second difference that its derivation calls for, and
    converges with order 2. Here it is the true one; `published: true` gives the other, to compare with its figures
    (its second step is the published 2M, where k-diffusion's 3M has exact weights already).
    The published second-order formulas differ from exactly integrated ones within their order, and are kept. On noise
    prediction, 2S and 3S are DPM-Solver-2 and -3 (arXiv 2206.00927, Algorithms 1 and 2), with the same caveats.
    """

    variant: Literal["multistep", "singlestep"] = parameter(
        "multistep", description="Look back on earlier steps, or spend `order` evaluations in each step"
    )
    order: Literal[1, 2, 3] = parameter(2, description="Order of convergence", source="arXiv 2211.01095, Section 4")
    prediction: Literal["data", "noise"] = parameter(
        "data",
        description="What is approximated: D (DPM-Solver++) or the noise (DPM-Solver)",
        source="arXiv 2206.00927",
    )
    published: bool = parameter(
        False, description="The multistep formula of order 3 as published, which is of order 2, with a ramped start"
    )
    warmup: Warmup = parameter("auto", description=DESCRIPTION)
    finish: Literal["extrapolate", "euler"] = parameter(
        "extrapolate",
        description="The step to sigma = 0: D extrapolated from two levels (order 2 and up), or D at the last",
    )

    def evaluations(self, num_steps: int) -> int:
        """Multistep: one a step and what the warm-up takes more; singlestep: `order` a step; one for the step to 0."""
        if self.variant == "singlestep":
            return self.order * (num_steps - 1) + 1
        return multistep_evaluations(num_steps, self._starts(num_steps))

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        steps = len(levels) - 1
        extrapolate = self.finish == "extrapolate" and self.order > 1
        planner = Planner(
            Family(self.prediction),
            dpm_rule(self.prediction, self.order, self.published and self.variant == "multistep"),
        )
        if self.variant == "singlestep":
            return singlestep_plan(planner, levels, self.order, extrapolate)
        return multistep_plan(planner, levels, [self.order] * steps, self._starts(steps), extrapolate)

    def _starts(self, num_steps: int) -> tuple[int, ...]:
        return () if self.published else starting_steps(self.warmup, self.order, num_steps)


def dpm_rule(prediction: Literal["data", "noise"], order: int, published: bool) -> Rule:
    """The update of DPM-Solver (noise) or DPM-Solver++ (data) of an order, for a `Planner`.

    `published` concerns order 3 with two predictions of the past.
    """

    def exact(s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        return Family(prediction).update(s, t, nodes)

    def second_order(s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """g's total weight times g at the middle of the step, on the line through two nodes (Algorithms 1 and 2)."""
        if len(nodes) == 1:
            return exact(s, t, nodes)
        h = math.log(s / t)
        first, other = (math.log(s / node) for node in nodes)
        share = (h / 2 - first) / (other - first)
        decay, total = (t / s, -math.expm1(-h)) if prediction == "data" else (1.0, t - s)
        return decay, per_node((total * (1 - share), total * share), nodes)

    def published_third_order(s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """The exact weights less half of the second difference's part, as the authors' code has it."""
        if len(nodes) < 3:
            return second_order(s, t, nodes)
        decay, weights = exact(s, t, nodes)
        h = math.log(s / t)
        at = [math.log(s / node) for node in nodes]
        half = 0.5 * float(integral(h, lambda v: v**2 * (np.exp(v - h) if prediction == "data" else -s * np.exp(-v))))
        differences = [half / math.prod(at[j] - other for i, other in enumerate(at) if i != j) for j in range(3)]
        return decay, tuple(w - each for w, each in zip(weights, per_node(differences, nodes), strict=True))

    def per_node(weights: Sequence[float], nodes: Sequence[float]) -> tuple[float, ...]:
        """Weights of what is stored: D itself, or x - D, which is sigma times the noise."""
        if prediction == "data":
            return tuple(weights)
        return tuple(weight / node for weight, node in zip(weights, nodes, strict=True))

    if order == 2:
        return second_order
    return published_third_order if published else exact
