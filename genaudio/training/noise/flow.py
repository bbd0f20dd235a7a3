"""Rectified flow's distribution of training noise levels."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.training.noise.scaled import ScaledDistribution, uniform


class Flow(ScaledDistribution):
    """sigma = sigma_data t / (1 - t) with t uniform (Liu et al. 2023, arXiv 2209.03003, Eq. 1).

    `shift` moves the levels of all times up by that factor: t becomes shift t / (1 + (shift - 1) t) (Esser et al. 2024,
    arXiv 2403.03206, Eq. 23).
    """

    t_min: float = parameter(
        1e-5, gt=0, lt=1, description="Lowest time; nearer to the data, float32 cannot tell the noise from rounding"
    )
    t_max: float = parameter(
        0.999, gt=0, lt=1, description="Highest time; 1 is pure noise", source="code of arXiv 2209.03003"
    )
    shift: float = parameter(1.0, gt=0, description="Factor on the levels", source="arXiv 2403.03206, Eq. 23")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.t_min >= self.t_max:
            raise ValueError(f"t_min {self.t_min:g} is not below t_max {self.t_max:g}")
        return self

    def ratios(self, count: int, generator: torch.Generator) -> Tensor:
        """shift t / (1 - t)."""
        time = uniform(count, self.t_min, self.t_max, generator)
        return self.shift * time / (1 - time)
