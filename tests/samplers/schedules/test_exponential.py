from __future__ import annotations

import numpy as np
import torch

from genaudio.samplers.schedules.exponential import Exponential
from genaudio.samplers.schedules.karras import Karras


def test_it_is_a_geometric_progression() -> None:
    sigmas = Exponential().sigmas(40, 0.002, 80.0)
    np.testing.assert_allclose(sigmas[:-1], np.geomspace(80.0, 0.002, 40), rtol=1e-13)


def test_it_is_the_discretisation_of_ve_in_table_1_of_edm() -> None:
    """t_i = sigma_max^2 (sigma_min^2 / sigma_max^2)^(i / (N - 1)) and sigma = sqrt(t)."""
    index = torch.arange(18, dtype=torch.float64)
    times = 100.0**2 * (0.02**2 / 100.0**2) ** (index / 17)
    torch.testing.assert_close(Exponential().sigmas(18, 0.02, 100.0)[:-1], times.sqrt(), rtol=1e-13, atol=0)


def test_it_is_the_limit_of_karras_for_a_large_rho() -> None:
    limit = Karras(rho=1e6).sigmas(12, 0.01, 10.0)
    torch.testing.assert_close(Exponential().sigmas(12, 0.01, 10.0), limit, rtol=1e-4, atol=0)
