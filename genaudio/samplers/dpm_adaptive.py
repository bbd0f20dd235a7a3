"""DPM-Solver with steps chosen by its error (Lu et al. 2022, arXiv 2206.00927, Appendix C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.adaptive import AdaptiveSolver, Pair, Trial
from genaudio.samplers.base import Denoiser
from genaudio.samplers.dpm import dpm_rule


class DPMAdaptive(AdaptiveSolver):
    """DPM-Solver-12 or -23: singlestep DPM-Solver of order 2 or 3, its error taken from the order below.

    A step takes `order` evaluations, less the first where a step is tried again. Of a schedule only the ends matter:
    the first level, and the last one above 0, from which D is extrapolated to 0. Every item of a batch chooses its own
    steps (`adaptive.py`), so a batch may take more calls than the evaluations of any of its items. Each step waits for
    the device once.

    The controller is not the paper's: its error is the RMS over the item, of x at unit variance, and its steps are
    rounded to a grid. For tolerances below about 1e-2 `runge_kutta_adaptive` needs fewer evaluations.
    """

    order: Literal[2, 3] = parameter(3, description="Order of convergence, evaluations in a step")
    prediction: Literal["noise", "data"] = parameter(
        "noise", description="What is approximated: the noise (DPM-Solver) or D (DPM-Solver++)"
    )
    rtol: float = parameter(
        0.05, ge=0, description="Error allowed in a step over the RMS of the item, at unit variance"
    )
    atol: float = parameter(0.0078, gt=0, description="Error allowed in a step, at unit variance")
    max_evaluations: int = parameter(1000, ge=4, description="Evaluations of an item that are an error to exceed")

    def pair(self) -> Pair:
        """The methods whose difference is the error."""
        return _DPMPair(self.order, self.prediction)


@dataclass(frozen=True)
class _DPMPair(Pair):
    """A singlestep method and the one of the order below that shares its evaluations."""

    order: Literal[2, 3]
    prediction: Literal["noise", "data"]

    @property
    def cost(self) -> int:
        """One less than the order, given D at the start."""
        return self.order - 1

    @property
    def error_order(self) -> int:
        """That of the lower method's local error."""
        return self.order

    def trial(self, denoiser: Denoiser, x: Tensor, clean: Tensor, s: float, t: float) -> Trial:
        """Algorithms 1 and 2 (r = 1/2; r1 = 1/3, r2 = 2/3) with the lower order's update beside."""
        first = (s, self._stored(x, clean))
        inner = s * (t / s) ** (1 / self.order)
        y = self._update(x, 1, s, inner, [first])
        second = (inner, self._stored(y, denoiser(y, inner)))
        if self.order == 2:
            low, high = self._update(x, 1, s, t, [first]), self._update(x, 2, s, t, [second, first])
            return Trial(high, high - low, None)
        inner = s * (t / s) ** (2 / 3)
        y = self._update(x, 3, s, inner, [second, first])
        third = (inner, self._stored(y, denoiser(y, inner)))
        low, high = self._update(x, 2, s, t, [second, first]), self._update(x, 3, s, t, [third, first])
        return Trial(high, high - low, None)

    def level(self, s: float, t: float, share: float) -> float:
        """By ln(sigma)."""
        return math.exp(math.log(s) + share * math.log(t / s))

    def _stored(self, x: Tensor, clean: Tensor) -> Tensor:
        return clean if self.prediction == "data" else x - clean

    def _update(self, x: Tensor, order: int, s: float, t: float, nodes: Sequence[tuple[float, Tensor]]) -> Tensor:
        """From s to t through predictions, each with its level."""
        decay, weights = dpm_rule(self.prediction, order, False)(s, t, [level for level, _ in nodes])
        result = torch.mul(x, decay)
        for (_, prediction), weight in zip(nodes, weights, strict=True):
            result.add_(prediction, alpha=weight)
        return result
