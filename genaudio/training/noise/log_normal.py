"""EDM's distribution of training noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.training.noise.base import NoiseDistribution


class LogNormal(NoiseDistribution):
    """ln(sigma) ~ N(mean, std^2) (Karras et al. 2022, Table 1, "Training": P_mean, P_std)."""

    mean: float = parameter(-1.2, description="Mean of ln(sigma)", source="arXiv 2206.00364, Table 1")
    std: float = parameter(1.2, gt=0, description="Standard deviation of ln(sigma)", source="arXiv 2206.00364, Table 1")

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels, `(count,)`, float64."""
        normal = torch.randn(count, generator=generator, dtype=torch.float64)
        return (self.mean + self.std * normal).exp()
