"""EDM preconditioning (Karras et al. 2022, arXiv 2206.00364)."""

from __future__ import annotations

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
        """`D(x, sigma, condition)`; the network sees `c_noise = ln(sigma) / 4` as its noise level."""
        sigma_data = self._sigma_data()

        def denoise(x: Tensor, sigma: float | Tensor, condition: Tensor | None = None) -> Tensor:
            level = torch.as_tensor(sigma, dtype=torch.float64, device="cpu" if isinstance(sigma, float) else None)
            variance = level**2 + sigma_data**2
            c_skip = sigma_data**2 / variance
            c_out = level * sigma_data / variance.sqrt()
            c_in = 1 / variance.sqrt()
            c_noise = (level.log() / 4).to(x).expand(x.shape[0])
            shape = (-1,) + (1,) * (x.ndim - 1) if level.ndim else ()
            c_skip, c_out, c_in = (c.to(x).reshape(shape) for c in (c_skip, c_out, c_in))
            return c_skip * x + c_out * network(c_in * x, c_noise, condition).to(x.dtype)

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
