"""The geometric schedule of noise levels."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.samplers.schedules.base import RampSchedule


class Exponential(RampSchedule):
    """Uniform in ln(sigma), which is uniform in the log of the signal-to-noise ratio: each level a fixed share lower.

    Source: the discretisation of the variance-exploding SDE (arXiv 2206.00364, Table 1, VE) and the log-SNR steps of
    DPM-Solver (arXiv 2206.00927, Section 3.3).
    """

    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """sigma_max (sigma_min / sigma_max)^ramp."""
        return sigma_max * (ramp * math.log(sigma_min / sigma_max)).exp()
