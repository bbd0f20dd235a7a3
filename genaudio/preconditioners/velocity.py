"""Preconditioning of a velocity-predicting network (v-prediction)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.preconditioners.base import Coefficients, Preconditioner

_SOURCE = "ln SNR from -20 to 20, code of arXiv 2202.00512"


class Velocity(Preconditioner):
    """The network predicts v = cos(phi) n - sin(phi) y0 from z = cos(phi) y0 + sin(phi) n, on the time t = 2 phi / pi.

    y0 = x0 / sigma_data is the data with unit variance, and tan(phi) = sigma / sigma_data, so that z and v have unit
    variance at every level. Time is that of the cosine schedule. The coefficients are EDM's but for the sign of c_out
    and for c_noise. `weighting: velocity` is the squared error of v, which weighs the squared error of y0 with
    SNR + 1; `truncated_snr` weighs it with max(SNR, 1), SNR = (sigma_data / sigma)^2.

    Source: Salimans and Ho 2022, arXiv 2202.00512, Section 4 and Appendix D.
    """

    weighting: Literal["velocity", "truncated_snr"] = parameter(
        "velocity", description="Weight of the loss: SNR + 1 (the squared error of v) or max(SNR, 1)"
    )
    sigma_min: float = parameter(4.54e-5, gt=0, description="Lowest noise level of sampling", source=_SOURCE)
    sigma_max: float = parameter(22026.0, gt=0, description="Highest noise level of sampling", source=_SOURCE)

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """Time is uniform."""
        return {"type": "cosine"}

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """x0 = sigma_data (cos(phi) z - sin(phi) v), in terms of x = sigma_data z / cos(phi)."""
        sigma_data = self._sigma_data()
        ratio = sigma / sigma_data
        cos = (ratio.square() + 1).rsqrt()
        return Coefficients(
            c_skip=cos.square(), c_out=-sigma * cos, c_in=cos / sigma_data, c_noise=ratio.atan() * (2 / math.pi)
        )

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """(SNR + 1) / sigma_data^2 or max(SNR, 1) / sigma_data^2, since D is in units of x and not of y0."""
        if self.weighting == "velocity":
            return super().loss_weight(sigma)
        sigma_data = self._sigma_data()
        return (sigma_data / sigma).square().clamp_min(1) / sigma_data**2
