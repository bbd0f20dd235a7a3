"""EDM's schedule of noise levels."""

from __future__ import annotations

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.base import RampSchedule


class Karras(RampSchedule):
    """Uniform in sigma^(1/rho): the larger rho, the more levels near sigma_min (arXiv 2206.00364, Eq. 5)."""

    rho: float = parameter(7.0, gt=0, description="Exponent of the spacing", source="arXiv 2206.00364, Table 1")

    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """Eq. 5."""
        high, low = float(sigma_max ** (1 / self.rho)), float(sigma_min ** (1 / self.rho))
        return (high + ramp * (low - high)).pow(self.rho)
