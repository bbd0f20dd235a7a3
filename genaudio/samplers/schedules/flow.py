"""The schedule of noise levels of rectified flow."""

from __future__ import annotations

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.base import ScaledSchedule


class Flow(ScaledSchedule):
    """Uniform in the time t of the line from data to noise: sigma = sigma_data t / (1 - t), before the shift.

    `shift` above 1 moves levels towards noise: t becomes shift t / (1 + (shift - 1) t), which is a factor on
    t / (1 - t). The ends stay.

    Source: Liu et al. 2023, arXiv 2209.03003, Eq. 1; shift: Esser et al. 2024, arXiv 2403.03206, Eq. 23.
    """

    shift: float = parameter(
        1.0, gt=0, description="Shift of the times; SD3 samples large images with 3", source="arXiv 2403.03206, Eq. 23"
    )

    def ratios(self, ramp: Tensor, lowest: float, highest: float) -> Tensor:
        """shift t / (1 - t) with t falling uniformly."""
        high, low = highest / self.shift, lowest / self.shift
        time = high / (1 + high) * (1 - ramp) + low / (1 + low) * ramp
        rest = 1 / (1 + high) * (1 - ramp) + 1 / (1 + low) * ramp  # 1 - t, which t does not resolve near pure noise
        return self.shift * time / rest
