"""The contract of preconditioners.

Shapes: x (batch, ...); sigma: a float, or a tensor (batch,) of one level per item; condition as the network takes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, Self

from torch import Tensor

from genaudio.core.component import Component, parameter

NetworkFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # (x, noise_level (batch,), condition)
ConditionalDenoiser = Callable[[Tensor, float | Tensor, Tensor | None], Tensor]  # D(x, sigma, condition)


class Preconditioner(Component, ABC):
    """What turns a raw network into the denoiser D(x; sigma), an estimate of the clean x of `x + sigma n`."""

    sigma_data: float | Literal["auto"] = parameter(
        "auto", description="Standard deviation of the encoded training data, or auto: measured before training"
    )
    sigma_min: float = parameter(0.002, gt=0, description="Lowest noise level of sampling", source="EDM, Table 1")
    sigma_max: float = parameter(80.0, gt=0, description="Highest noise level of sampling", source="EDM, Table 1")

    def fitted(self, sigma_data: float) -> Self:
        """This preconditioner with `sigma_data: auto` replaced by the measured value; a given value stays."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    @abstractmethod
    def denoiser(self, network: NetworkFunction) -> ConditionalDenoiser:
        """`D(x, sigma, condition)`; raises `GenaudioError` while `sigma_data` is still "auto"."""

    @abstractmethod
    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Weight of the squared error of D at each noise level, of sigma's shape."""
