"""Distributions of noise levels that are defined for data of unit variance."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.training.noise.base import NoiseDistribution


class ScaledDistribution(NoiseDistribution):
    """A distribution of sigma / sigma_data, so that the ratio of signal to noise is distributed as published."""

    sigma_data: float | Literal["auto"] = parameter(
        "auto", description="Standard deviation of the encoded data, or auto: the preconditioner's"
    )

    def fitted(self, sigma_data: float) -> Self:
        """This distribution with `sigma_data: auto` replaced by the given value."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    @abstractmethod
    def ratios(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` levels for data of unit variance, `(count,)`, float64 on the CPU, all positive."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels, `(count,)`, float64; raises `GenaudioError` while `sigma_data` is still "auto"."""
        if self.sigma_data == "auto":
            raise GenaudioError(
                "sigma_data is still 'auto'",
                expected="a number",
                mend="call fitted(sigma_data) with the measured value",
            )
        return self.sigma_data * self.ratios(count, generator)


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """`count` numbers uniform in [low, high), `(count,)`, float64 on the CPU."""
    return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
