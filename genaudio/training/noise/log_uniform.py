"""The variance-exploding SDE's distribution of training noise levels."""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.training.noise.base import NoiseDistribution
from genaudio.training.noise.scaled import uniform

_TABLE_1 = "arXiv 2206.00364, Table 1, VE"


class LogUniform(NoiseDistribution):
    """ln(sigma) uniform from ln(sigma_min) to ln(sigma_max) (Karras et al. 2022, Table 1, "Training", VE)."""

    sigma_min: float = parameter(0.02, gt=0, description="Lowest noise level", source=_TABLE_1)
    sigma_max: float = parameter(100.0, gt=0, description="Highest noise level", source=_TABLE_1)

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min:g} is not below sigma_max {self.sigma_max:g}")
        return self

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels, `(count,)`, float64."""
        return uniform(count, math.log(self.sigma_min), math.log(self.sigma_max), generator).exp()
