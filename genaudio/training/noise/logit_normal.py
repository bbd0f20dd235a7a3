"""Stable Diffusion 3's distribution of training noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.training.noise.scaled import ScaledDistribution


class LogitNormal(ScaledDistribution):
    """Flow time t with logit(t) ~ N(mean, std^2), so that middle times weigh more than the ends.

    As sigma = sigma_data t / (1 - t), ln(sigma / sigma_data) is that normal variable: the distribution is EDM's
    `log_normal` with a mean that moves with the data. A shift by a factor (SD3's `shift`) is ln(shift) on the mean.

    Source: Esser et al. 2024, arXiv 2403.03206, Section 3.1 (Eq. 19) and Eq. 23.
    """

    mean: float = parameter(0.0, description="Mean of logit(t)", source="arXiv 2403.03206, rf/lognorm(0.00, 1.00)")
    std: float = parameter(
        1.0, gt=0, description="Standard deviation of logit(t)", source="arXiv 2403.03206, rf/lognorm(0.00, 1.00)"
    )

    def ratios(self, count: int, generator: torch.Generator) -> Tensor:
        """exp of the normal variable."""
        return (self.mean + self.std * torch.randn(count, generator=generator, dtype=torch.float64)).exp()
