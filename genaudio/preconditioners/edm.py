"""EDM preconditioning (Karras et al. 2022, arXiv 2206.00364)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.preconditioners.base import ConditionalDenoiser, NetworkFunction, Preconditioner


class EDM(Preconditioner):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) with unit variance at the network's input and target.

    Source: arXiv 2206.00364, Eq. 7, Table 1 and Appendix B.6; loss weight 1 / c_out^2, so that every noise level weighs
    the same at initialisation.
    """

    def denoiser(self, network: NetworkFunction) -> ConditionalDenoiser:
        """`D(x, sigma, condition)`; the network sees `c_noise = ln(sigma) / 4`, (batch,), as its noise level."""
        sigma_data = self._sigma_data()

        def denoise(x: Tensor, sigma: float | Tensor, condition: Tensor | None = None) -> Tensor:
            if isinstance(sigma, Tensor) and sigma.ndim:
                return per_item(x, sigma, condition)
            # One level for all: coefficients are Python floats, so that nothing is copied to the device or waited for.
            level = float(sigma)
            if not 0 < level < math.inf:
                raise GenaudioError(f"the denoiser was called at sigma = {level:g}", expected="a finite level above 0")
            spread = math.hypot(level, sigma_data)
            c_noise = x.new_full((x.shape[0],), math.log(level) / 4)
            raw = network(x / spread, c_noise, condition).to(x.dtype)
            return torch.add(x * (sigma_data / spread) ** 2, raw, alpha=level * sigma_data / spread)

        def per_item(x: Tensor, sigma: Tensor, condition: Tensor | None) -> Tensor:
            if sigma.shape != x.shape[:1]:
                raise GenaudioError(
                    f"sigma is {tuple(sigma.shape)} for x of {tuple(x.shape)}", expected="one noise level for each item"
                )
            level = sigma.double()
            spread = (level**2 + sigma_data**2).sqrt()
            shape = (-1,) + (1,) * (x.ndim - 1)
            c_skip, c_out, c_in = (
                c.to(x).reshape(shape) for c in ((sigma_data / spread) ** 2, level * sigma_data / spread, 1 / spread)
            )
            raw = network(c_in * x, (level.log() / 4).to(x), condition).to(x.dtype)
            return torch.addcmul(c_skip * x, c_out, raw)

        return denoise

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """(sigma^2 + sigma_data^2) / (sigma sigma_data)^2 (Table 1, "Loss weighting")."""
        sigma_data = self._sigma_data()
        return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2

    def _sigma_data(self) -> float:
        if self.sigma_data == "auto":
            raise GenaudioError(
                "sigma_data is still 'auto'",
                expected="a number",
                mend="call fitted(sigma_data) with the measured value",
            )
        return self.sigma_data
