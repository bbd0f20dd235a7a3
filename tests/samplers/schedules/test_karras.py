"""Karras' schedule."""

from __future__ import annotations

import pytest
import torch

from genaudio.samplers.schedules.karras import Karras


@pytest.mark.parametrize("rho", [1.0, 4.0, 7.0, 9.0])
@pytest.mark.parametrize("num_steps", [2, 3, 18, 1000])
def test_it_is_uniform_in_the_root_with_exact_ends(rho: float, num_steps: int) -> None:
    sigmas = Karras(rho=rho).sigmas(num_steps, 0.002, 80.0)
    assert sigmas.shape == (num_steps + 1,)
    assert (sigmas.dtype, sigmas.device.type) == (torch.float64, "cpu")
    assert sigmas[[0, -2, -1]].tolist() == [80.0, 0.002, 0.0]
    assert (sigmas.diff() < 0).all()
    gaps = (sigmas[:-1] ** (1 / rho)).diff()
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), rtol=1e-6, atol=1e-12)


def test_equation_5_of_edm() -> None:
    expected = (80 ** (1 / 7) + 5 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert Karras().sigmas(18, 0.002, 80.0)[5].item() == pytest.approx(expected, rel=1e-12)


def test_a_large_rho_tends_to_levels_uniform_in_log_sigma() -> None:
    sigmas = Karras(rho=1e5).sigmas(4, 0.01, 10.0)
    assert sigmas[:-1].log10().tolist() == pytest.approx([1, 0, -1, -2], abs=1e-3)
