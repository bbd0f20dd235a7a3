"""Classic Runge-Kutta methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Family
from genaudio.samplers.sigma_data import SigmaData, number
from genaudio.samplers.stages import Planner, StagedSolver, Step

# (share of the step at which the next slope is taken, weights of the slopes so far), oldest slope first
_TABLEAUS: dict[int, tuple[tuple[float, tuple[float, ...]], ...]] = {
    3: ((1 / 2, (1 / 2,)), (1, (-1, 2)), (1, (1 / 6, 2 / 3, 1 / 6))),
    4: ((1 / 2, (1 / 2,)), (1 / 2, (0, 1 / 2)), (1, (0, 0, 1)), (1, (1 / 6, 1 / 3, 1 / 3, 1 / 6))),
}


class RungeKutta(StagedSolver):
    """Kutta's method of order 3 or the classic one of order 4: `order` evaluations a step, nothing from the past.

    `variable` is the equation that is integrated: dx/dsigma = (x - D) / sigma, the same by ln(sigma), or, by the angle
    atan(sigma / sigma_data), that of x / sqrt(sigma^2 + sigma_data^2), which has unit variance at every level and no
    slope at all for Gaussian data of deviation `sigma_data`. The angle measures best on mixtures of Gaussians
    (`benchmarks/solvers/gaussian_mixture.py`; root mean square error of order 4 on the 1-D one with 10 / 20 / 50
    evaluations: angle 4.5e-2 / 9.0e-3 / 1.1e-3, sigma 2.2e-1 / 1.3e-1 / 2.2e-3, ln(sigma) 33 / 6.1e-1 / 4.6e-3). The
    plain equations are unstable in long steps at high levels. Source of the methods: Hairer, Nørsett and Wanner,
    Solving Ordinary Differential Equations I, Section II.1.
    """

    order: Literal[3, 4] = parameter(4, description="Evaluations in a step, the order of convergence")
    variable: Literal["angle", "sigma", "log_sigma"] = parameter(
        "angle", description="Integrate x / sqrt(sigma^2 + sigma_data^2) by the angle, or x by sigma or ln(sigma)"
    )
    sigma_data: SigmaData = parameter(
        "auto", description="Standard deviation of the data, of variable: angle; auto: the model's"
    )
    finish: Literal["extrapolate", "euler"] = parameter(
        "extrapolate", description="The step to sigma = 0: D extrapolated from two levels, or D at the last"
    )

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> RungeKutta:
        """With the standard deviation of the data."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    def evaluations(self, num_steps: int) -> int:
        """`order` a step; one for the step to 0."""
        return self.order * (num_steps - 1) + 1

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        planner = Planner(Family("velocity" if self.variable == "angle" else "noise", self._data), self._rule)
        starts: list[int] = []
        for s, t in pairwise(levels):
            if t == 0:
                planner.finish(s, self.finish == "extrapolate", starts)
                continue
            planner.begin()
            begin, end = self._time(s), self._time(t)
            at = s  # the level of the next slope
            past: tuple[int, ...] = ()  # the slopes so far, newest first
            for share, _ in _TABLEAUS[self.order]:
                target = t if share == 1 else self._level(begin + share * (end - begin))
                past = (planner.stage(s, target, at, past), *past)
                at = target
            starts.append(past[-1])
        return planner.plan()

    @property
    def _data(self) -> float:
        return number(self.sigma_data)

    def _time(self, sigma: float) -> float:
        if self.variable == "angle":
            return math.atan(sigma / self._data)
        return sigma if self.variable == "sigma" else math.log(sigma)

    def _level(self, time: float) -> float:
        if self.variable == "angle":
            return self._data * math.tan(time)
        return time if self.variable == "sigma" else math.exp(time)

    def _rule(self, s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """The row of the tableau with as many slopes as there are nodes; t is that row's share of the step after s."""
        share, row = _TABLEAUS[self.order][len(nodes) - 1]
        span = (self._time(t) - self._time(s)) / share
        weights = [span * weight for weight in reversed(row)]
        if self.variable == "log_sigma":
            return 1.0, tuple(weights)
        if self.variable == "sigma":
            return 1.0, tuple(weight / node for weight, node in zip(weights, nodes, strict=True))
        end = math.hypot(t, self._data)
        slopes = [self._data / (node * math.hypot(node, self._data)) for node in nodes]  # of what is stored
        return end / math.hypot(s, self._data), tuple(end * w * each for w, each in zip(weights, slopes, strict=True))
