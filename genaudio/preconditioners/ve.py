"""Preconditioning of the variance-exploding SDE (SMLD, NCSN++)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.preconditioners.base import Coefficients, Preconditioner

_TABLE_1 = "arXiv 2206.00364, Table 1, VE"


class VE(Preconditioner):
    """D = x + sigma F(x; ln(sigma / 2)): the network predicts the negative noise -n of x = x0 + sigma n.

    Its loss is the squared error of that prediction, 1 / sigma^2 on D. As published, the input of the network is not
    scaled, and nothing depends on `sigma_data`; the representation should bring that near 0.5, the deviation of images
    in [-1, 1].

    Source: Song et al. 2021, arXiv 2011.13456, as Karras et al. write it, arXiv 2206.00364, Table 1 and Appendix C.2.
    """

    sigma_min: float = parameter(0.02, gt=0, description="Lowest noise level of sampling", source=_TABLE_1)
    sigma_max: float = parameter(100.0, gt=0, description="Highest noise level of sampling", source=_TABLE_1)

    @property
    def published_noise(self) -> Mapping[str, Any]:
        """ln(sigma) is uniform over the levels of sampling (Table 1, "Noise distribution")."""
        return {"type": "log_uniform", "sigma_min": self.sigma_min, "sigma_max": self.sigma_max}

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Table 1, "Network and preconditioning"."""
        one = sigma.new_ones(sigma.shape)
        return Coefficients(c_skip=one, c_out=sigma, c_in=one, c_noise=sigma.log() - math.log(2))
