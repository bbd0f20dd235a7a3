"""EDM preconditioning (Karras et al. 2022, arXiv 2206.00364)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genaudio.preconditioners.base import Coefficients, Preconditioner


class EDM(Preconditioner):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) with unit variance at the network's input and target.

    Source: arXiv 2206.00364, Eq. 7, Table 1 and Appendix B.6; loss weight 1 / c_out^2, so that every noise level weighs
    the same at initialisation.
    """

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """ln(sigma) is Gaussian (Table 1, "Noise distribution")."""
        return {"type": "log_normal", "mean": -1.2, "std": 1.2}

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Table 1, "Network and preconditioning"."""
        sigma_data = self._sigma_data()
        spread = (sigma**2 + sigma_data**2).sqrt()
        return Coefficients(
            c_skip=(sigma_data / spread) ** 2,
            c_out=sigma * sigma_data / spread,
            c_in=1 / spread,
            c_noise=sigma.log() / 4,
        )
