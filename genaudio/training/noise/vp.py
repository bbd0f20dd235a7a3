"""The variance-preserving SDE's distribution of training noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.schedules.vp import sigma_of_time
from genaudio.training.noise.base import NoiseDistribution
from genaudio.training.noise.scaled import uniform

_TABLE_1 = "arXiv 2206.00364, Table 1, VP"


class VP(NoiseDistribution):
    """Time t of the SDE uniform from t_min to 1 (Karras et al. 2022, Table 1, "Training", VP).

    sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1.
    """

    beta_min: float = parameter(0.1, gt=0, description="Rate of the noise at t = 0", source=_TABLE_1)
    beta_d: float = parameter(19.9, gt=0, description="Growth of that rate from t = 0 to t = 1", source=_TABLE_1)
    t_min: float = parameter(1e-5, gt=0, lt=1, description="Lowest time, epsilon_t", source=_TABLE_1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels, `(count,)`, float64."""
        return sigma_of_time(uniform(count, self.t_min, 1.0, generator), self.beta_min, self.beta_d)
