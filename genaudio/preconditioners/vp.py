"""Preconditioning of a noise-predicting network on the time of the variance-preserving SDE (DDPM, DDPM++)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.preconditioners.base import Coefficients, Preconditioner

_TABLE_1 = "arXiv 2206.00364, Table 1, VP"


class VP(Preconditioner):
    """D = x - sigma F(x / sqrt(sigma^2 + 1); (M - 1) t(sigma)): the network predicts the noise n of x = x0 + sigma n.

    t is the time of the SDE: sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1. Its loss is the squared error of the
    predicted noise, 1 / sigma^2 on D. As published, neither time nor levels depend on `sigma_data`; the representation
    should bring that near 0.5, the deviation of images in [-1, 1].

    Source: Song et al. 2021, arXiv 2011.13456, as Karras et al. write it, arXiv 2206.00364, Table 1 and Appendix C.1.
    """

    beta_min: float = parameter(0.1, gt=0, description="Rate of the noise at t = 0", source=_TABLE_1)
    beta_d: float = parameter(19.9, gt=0, description="Growth of that rate from t = 0 to t = 1", source=_TABLE_1)
    num_times: int = parameter(1000, ge=2, description="M: the network sees t as (M - 1) t", source=_TABLE_1)
    sigma_min: float = parameter(
        0.010486, gt=0, description="Lowest noise level of sampling, sigma(t = 0.001) by default", source=_TABLE_1
    )
    sigma_max: float = parameter(
        152.16697, gt=0, description="Highest noise level of sampling, sigma(t = 1) by default", source=_TABLE_1
    )

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """t is uniform (Table 1, "Noise distribution")."""
        return {"type": "vp", "beta_min": self.beta_min, "beta_d": self.beta_d}

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Table 1, "Network and preconditioning"."""
        # sigma(t) solved for t, in the form whose terms do not cancel at low levels
        exponent = sigma.square().log1p()
        time = 2 * exponent / (self.beta_min + (self.beta_min**2 + 2 * self.beta_d * exponent).sqrt())
        return Coefficients(
            c_skip=sigma.new_ones(sigma.shape),
            c_out=-sigma,
            c_in=(sigma.square() + 1).rsqrt(),
            c_noise=(self.num_times - 1) * time,
        )
