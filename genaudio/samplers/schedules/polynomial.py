"""The geometric schedule of noise levels, warped by a power."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.base import RampSchedule


class Polynomial(RampSchedule):
    """ln(sigma / sigma_min) goes as (1 - ramp)^rho: above 1 more levels near sigma_min, below 1 near sigma_max.

    rho 1 is `exponential`. Known as polyexponential in k-diffusion (`get_sigmas_polyexponential`).
    """

    rho: float = parameter(
        0.8,
        gt=0,
        description="Exponent of the warp",
        source="benchmarks/solvers/schedules.py; 1 in k-diffusion",
    )

    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """sigma_min (sigma_max / sigma_min)^((1 - ramp)^rho)."""
        return sigma_min * ((1 - ramp) ** self.rho * math.log(sigma_max / sigma_min)).exp()
