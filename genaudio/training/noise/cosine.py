"""The distribution of training noise levels that is uniform in the time of the cosine schedule."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.training.noise.scaled import ScaledDistribution, uniform


class Cosine(ScaledDistribution):
    """sigma = sigma_data tan(pi t / 2) with t uniform, cut off where |ln SNR| exceeds a limit.

    Source: Nichol and Dhariwal 2021, arXiv 2102.09672, Eq. 17, in the continuous form of Salimans and Ho 2022,
    arXiv 2202.00512.
    """

    log_snr_limit: float = parameter(
        20.0,
        gt=0,
        le=60,
        description="Largest |ln SNR|, SNR being (sigma_data / sigma)^2",
        source="code of arXiv 2202.00512",
    )

    def ratios(self, count: int, generator: torch.Generator) -> Tensor:
        """tan of angles that are uniform between those of the two limits."""
        lowest = math.atan(math.exp(-self.log_snr_limit / 2))
        return uniform(count, lowest, math.pi / 2 - lowest, generator).tan()
