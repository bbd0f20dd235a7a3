"""EDM's schedule of noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.base import Schedule


class Karras(Schedule):
    """Uniform in sigma^(1/rho): the larger rho, the more levels near sigma_min (arXiv 2206.00364, Eq. 5)."""

    rho: float = parameter(7.0, gt=0, description="Exponent of the spacing", source="arXiv 2206.00364, Table 1")

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to `sigma_min`, then 0; a single step starts at `sigma_max`."""
        if num_steps < 1:
            raise GenaudioError(f"num_steps is {num_steps}", expected="at least 1")
        if not 0 < sigma_min < sigma_max < float("inf"):
            raise GenaudioError(
                f"sigma_min is {sigma_min:g} and sigma_max is {sigma_max:g}", expected="0 < sigma_min < sigma_max"
            )
        ramp = torch.linspace(0, 1, num_steps, dtype=torch.float64)
        high, low = sigma_max ** (1 / self.rho), sigma_min ** (1 / self.rho)
        levels = (high + ramp * (low - high)) ** self.rho
        levels[-1] = sigma_min  # the ends exactly, whatever the rounding of the powers
        levels[0] = sigma_max
        return torch.cat([levels, levels.new_zeros(1)])
