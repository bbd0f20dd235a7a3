"""The cosine schedule of noise levels."""

from __future__ import annotations

import math

from torch import Tensor

from genaudio.samplers.schedules.base import ScaledSchedule


class Cosine(ScaledSchedule):
    """Uniform in the time t of the cosine schedule, sigma = sigma_data tan(pi t / 2): most levels around sigma_data.

    Source: Nichol and Dhariwal 2021, arXiv 2102.09672, Eq. 17, in the continuous form of Salimans and Ho 2022,
    arXiv 2202.00512.
    """

    def ratios(self, ramp: Tensor, lowest: float, highest: float) -> Tensor:
        """tan of an angle that falls uniformly; above 45 degrees 1 / tan of its complement, which rounds less."""
        angle = math.atan(highest) * (1 - ramp) + math.atan(lowest) * ramp
        complement = math.atan(1 / highest) * (1 - ramp) + math.atan(1 / lowest) * ramp
        return angle.tan().where(angle < math.pi / 4, 1 / complement.tan())
