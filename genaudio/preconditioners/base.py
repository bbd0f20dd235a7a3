"""The contract of preconditioners, and what they share.

Shapes: x (batch, ...); sigma: a float, or a tensor (batch,) of one level per item; condition as the network takes it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor

from genaudio.core.component import Component, parameter
from genaudio.core.errors import GenaudioError

NetworkFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # (x, noise_level (batch,), condition)
ConditionalDenoiser = Callable[[Tensor, float | Tensor, Tensor | None], Tensor]  # D(x, sigma, condition)


class Coefficients(NamedTuple):
    """The four functions of sigma that make a denoiser of a network, each of sigma's shape."""

    c_skip: Tensor
    c_out: Tensor
    c_in: Tensor
    c_noise: Tensor


class Preconditioner(Component, ABC):
    """What turns a raw network F into the denoiser D(x; sigma) = c_skip x + c_out F(c_in x; c_noise).

    D estimates the clean x0 of x = x0 + sigma n. A method of another parametrisation (that of the noise, of a velocity)
    is one by what its network predicts: its equations, solved for x0, are these coefficients
    (Karras et al. 2022, arXiv 2206.00364, Eq. 7).
    """

    sigma_data: float | Literal["auto"] = parameter(
        "auto", description="Standard deviation of the encoded training data, or auto: measured before training"
    )
    sigma_min: float = parameter(0.002, gt=0, description="Lowest noise level of sampling", source="EDM, Table 1")
    sigma_max: float = parameter(80.0, gt=0, description="Highest noise level of sampling", source="EDM, Table 1")

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """The distribution of training noise levels that this was published with, as a recipe's block `noise`."""
        return {"type": "log_normal"}

    def fitted(self, sigma_data: float) -> Self:
        """This preconditioner with `sigma_data: auto` replaced by the measured value; a given value stays."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    @abstractmethod
    def coefficients(self, sigma: Tensor) -> Coefficients:
        """The coefficients at each noise level, in sigma's dtype (float64 in use) and on its device.

        Raises `GenaudioError` where they depend on `sigma_data` and that is still "auto".
        """

    def denoiser(self, network: NetworkFunction) -> ConditionalDenoiser:
        """`D(x, sigma, condition)`; the network sees `c_noise`, (batch,), as its noise level.

        Raises `GenaudioError` where `coefficients` does.
        """
        self.coefficients(torch.ones((), dtype=torch.float64))

        def denoise(x: Tensor, sigma: float | Tensor, condition: Tensor | None = None) -> Tensor:
            if isinstance(sigma, Tensor) and sigma.ndim:
                return per_item(x, sigma, condition)
            level = float(sigma)
            if not 0 < level < math.inf:
                raise GenaudioError(f"the denoiser was called at sigma = {level:g}", expected="a finite level above 0")
            # One level for all: worked out on the host, so that nothing is copied to the device or waited for.
            c_skip, c_out, c_in, c_noise = (
                c.item() for c in self.coefficients(torch.tensor(level, dtype=torch.float64, device="cpu"))
            )
            noise_level = torch.full((x.shape[0],), c_noise, dtype=_noise_dtype(x), device=x.device)
            # Divided, not multiplied by c_in: so models trained before sound the same to the last bit.
            raw = network(x / (1 / c_in), noise_level, condition).to(x.dtype)
            return torch.add(x * c_skip, raw, alpha=c_out)

        def per_item(x: Tensor, sigma: Tensor, condition: Tensor | None) -> Tensor:
            if sigma.shape != x.shape[:1]:
                raise GenaudioError(
                    f"sigma is {tuple(sigma.shape)} for x of {tuple(x.shape)}", expected="one noise level for each item"
                )
            *scales, c_noise = self.coefficients(sigma.double())
            c_skip, c_out, c_in = (c.to(x).reshape(-1, *(1,) * (x.ndim - 1)) for c in scales)
            raw = network(c_in * x, c_noise.to(x.device, _noise_dtype(x)), condition).to(x.dtype)
            return torch.addcmul(c_skip * x, c_out, raw)

        return denoise

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """Weight of the squared error of D at each noise level, of sigma's shape.

        Here 1 / c_out^2, which makes the loss the squared error of the network at its own target.
        """
        return self.coefficients(sigma).c_out.square().reciprocal()

    def _sigma_data(self) -> float:
        if self.sigma_data == "auto":
            raise GenaudioError(
                "sigma_data is still 'auto'",
                expected="a number",
                mend="call fitted(sigma_data) with the measured value",
            )
        return self.sigma_data


def _noise_dtype(x: Tensor) -> torch.dtype:
    """That of x, at least float32: half precision does not tell noise levels of 998 and 999 apart."""
    return torch.promote_types(x.dtype, torch.float32)
