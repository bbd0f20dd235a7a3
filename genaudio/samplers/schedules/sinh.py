"""A schedule that is dense around one noise level and sparse away from it."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.base import ScaledSchedule, check_range


class Sinh(ScaledSchedule):
    """ln(sigma / sigma_data) = centre + width sinh(u), u uniform: fine steps where sounds take shape.

    Near the centre the levels are uniform in ln(sigma), away from it they thin out, above and below by widths of their
    own; the narrower a side, the faster. Wide on both sides it is `exponential`. At high levels D is nearly constant
    and at low ones nearly finished, and a solver that is exact there (`exponential_integrator` on velocity) needs few
    steps for either. With few steps it is better to stop at a level `lowest` well above sigma_min, from where the step
    to 0 extrapolates.
    """

    centre: float = parameter(0.7, ge=-10, le=10, description="ln(sigma / sigma_data) where the levels are densest")
    width_above: float = parameter(1.0, gt=0, description="How far above the centre they stay dense", unit="ln(sigma)")
    width_below: float = parameter(1.5, gt=0, description="How far below the centre they stay dense", unit="ln(sigma)")

    lowest: float = parameter(
        0.0, ge=0, description="Last level above 0, as a multiple of sigma_data, if it is above sigma_min"
    )

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to the last one, which is `lowest` or `sigma_min`, then 0."""
        check_range(num_steps, sigma_min, sigma_max)  # as given: `lowest` may hide what is wrong with sigma_min
        last = self.lowest * self._scale
        return super().sigmas(num_steps, last if sigma_min < last < sigma_max else sigma_min, sigma_max)

    def ratios(self, ramp: Tensor, lowest: float, highest: float) -> Tensor:
        """exp(centre + width sinh(u)); u is scaled below the centre so that the density is continuous there."""
        scale = self.width_below / self.width_above
        u = self._position(highest) * (1 - ramp) + self._position(lowest) * ramp
        above = self.centre + self.width_above * u.clamp_min(0).sinh()
        below = self.centre + self.width_below * (u.clamp_max(0) / scale).sinh()
        return above.where(u > 0, below).exp()

    def _position(self, ratio: float) -> float:
        """u at a level."""
        away = math.log(ratio) - self.centre
        if away > 0:
            return math.asinh(away / self.width_above)
        return math.asinh(away / self.width_below) * self.width_below / self.width_above
