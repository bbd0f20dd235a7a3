"""The schedule of noise levels of the variance-preserving SDE."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.base import RampSchedule

_TABLE_1 = "arXiv 2206.00364, Table 1, VP"


class VP(RampSchedule):
    """Uniform in the time t of the SDE: sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1, as in DDPM's sampling.

    Source: Song et al. 2021, arXiv 2011.13456, as Karras et al. write it, arXiv 2206.00364, Table 1, "Time steps".
    """

    beta_min: float = parameter(0.1, gt=0, description="Rate of the noise at t = 0", source=_TABLE_1)
    beta_d: float = parameter(19.9, gt=0, description="Growth of that rate from t = 0 to t = 1", source=_TABLE_1)

    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """sigma(t) of times that fall uniformly."""
        first, last = (time_of_sigma(sigma, self.beta_min, self.beta_d) for sigma in (sigma_max, sigma_min))
        return sigma_of_time(first + ramp * (last - first), self.beta_min, self.beta_d)


def sigma_of_time(time: Tensor, beta_min: float, beta_d: float) -> Tensor:
    """The noise level at each time of the SDE."""
    return (beta_d / 2 * time**2 + beta_min * time).expm1().sqrt()


def time_of_sigma(sigma: float, beta_min: float, beta_d: float) -> float:
    """The time at which the SDE has a noise level."""
    exponent = math.log1p(sigma**2)
    # solved in the form whose terms do not cancel at low levels
    return 2 * exponent / (beta_min + math.sqrt(beta_min**2 + 2 * beta_d * exponent))
