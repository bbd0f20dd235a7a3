"""Preconditioning of rectified flow, which is conditional flow matching along straight lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.preconditioners.base import Coefficients, Preconditioner

_SOURCE = "t at most 1 - 0.001, code of arXiv 2209.03003"


class Flow(Preconditioner):
    """The network predicts u = n - y0 from y_t = (1 - t) y0 + t n, on the time t, which is 0 at the data, 1 at noise.

    y0 = x0 / sigma_data is the data with unit variance, as flow matching assumes of both ends of the line; with
    x = x0 + sigma n the time is t = sigma / (sigma_data + sigma), and y_t = (1 - t) x / sigma_data. `sigma_data: 1`
    takes the data as they are. The loss is the squared error of u.

    Source: Liu et al. 2023, arXiv 2209.03003, Eq. 1; Lipman et al. 2023, arXiv 2210.02747, Eq. 20-23 with sigma_min 0;
    there time runs from noise to data.
    """

    sigma_min: float = parameter(0.001, gt=0, description="Lowest noise level of sampling, t = 0.001 on unit variance")
    sigma_max: float = parameter(
        999.0, gt=0, description="Highest noise level of sampling, t = 0.999 on unit variance", source=_SOURCE
    )

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """Time is uniform."""
        return {"type": "flow"}

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """x0 = sigma_data (y_t - t u)."""
        sigma_data = self._sigma_data()
        total = sigma + sigma_data
        return Coefficients(
            c_skip=sigma_data / total, c_out=-sigma * sigma_data / total, c_in=1 / total, c_noise=sigma / total
        )
