"""EDM's preconditioning: closed forms, unit variances, and the two ways to give a noise level."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.preconditioners.edm import EDM

DATA = 0.7
LEVELS = [0.002, 0.1, 0.7, 5.0, 80.0]


def coefficients(sigma: float) -> tuple[float, float, float, float]:
    """c_skip, c_out, c_in, c_noise as they act: read off from constant and linear networks."""
    denoiser = EDM(sigma_data=DATA)
    x = torch.ones(1, 1, dtype=torch.float64)
    seen = []

    def spy(scaled: Tensor, noise_level: Tensor, condition: Tensor | None) -> Tensor:
        seen.append((scaled.item(), noise_level.item()))
        return torch.zeros_like(scaled)

    skip = denoiser.denoiser(spy)(x, sigma, None).item()
    out = denoiser.denoiser(lambda scaled, level, condition: torch.ones_like(scaled))(x, sigma, None).item() - skip
    return skip, out, *seen[0]


@pytest.mark.parametrize("sigma", LEVELS)
def test_coefficients_are_those_of_table_1(sigma: float) -> None:
    spread = sigma**2 + DATA**2
    expected = (DATA**2 / spread, sigma * DATA / math.sqrt(spread), 1 / math.sqrt(spread), math.log(sigma) / 4)
    assert coefficients(sigma) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sigma", LEVELS)
def test_network_input_and_target_have_unit_variance(sigma: float) -> None:
    """For clean data of deviation sigma_data: Var(c_in x) = 1, and so has (clean - c_skip x) / c_out."""
    c_skip, c_out, c_in, _ = coefficients(sigma)
    assert c_in**2 * (DATA**2 + sigma**2) == pytest.approx(1)
    target = ((1 - c_skip) ** 2 * DATA**2 + c_skip**2 * sigma**2) / c_out**2
    assert target == pytest.approx(1)


@pytest.mark.parametrize("sigma", LEVELS)
def test_the_loss_weight_evens_out_the_levels(sigma: float) -> None:
    """weight * c_out^2 = 1: every level's error of the raw network counts the same."""
    weight = EDM(sigma_data=DATA).loss_weight(torch.tensor([sigma], dtype=torch.float64)).item()
    assert weight * coefficients(sigma)[1] ** 2 == pytest.approx(1)


def exact_network(mean: float, std: float):
    """The network that makes D the analytic denoiser of N(mean, std^2), from EDM's Eq. 7 solved for F."""

    def network(scaled: Tensor, noise_level: Tensor, condition: Tensor | None) -> Tensor:
        sigma = (4 * noise_level).exp().reshape(-1, *[1] * (scaled.ndim - 1))
        spread = (sigma**2 + DATA**2).sqrt()
        x = scaled * spread
        clean = (x * std**2 + mean * sigma**2) / (std**2 + sigma**2)
        return (clean - DATA**2 / spread**2 * x) * spread / (sigma * DATA)

    return network


@pytest.mark.parametrize("sigma", LEVELS)
def test_an_exact_network_gives_the_analytic_denoiser(sigma: float) -> None:
    x = sigma * torch.randn(4, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    clean = EDM(sigma_data=DATA).denoiser(exact_network(0.2, 0.4))(x, sigma, None)
    torch.testing.assert_close(clean, (x * 0.16 + 0.2 * sigma**2) / (0.16 + sigma**2), rtol=1e-10, atol=1e-10)


def test_a_network_of_zeros_gives_the_gaussian_denoiser() -> None:
    """Untrained, D is already right for Gaussian data of the measured deviation."""
    x = torch.randn(3, 2, dtype=torch.float64)
    clean = EDM(sigma_data=DATA).denoiser(lambda scaled, level, condition: torch.zeros_like(scaled))(x, 1.5, None)
    torch.testing.assert_close(clean, x * DATA**2 / (DATA**2 + 1.5**2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_float_and_one_level_for_each_item_agree(dtype: torch.dtype) -> None:
    x = torch.randn(len(LEVELS), 2, 4, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))
    condition = torch.randn(len(LEVELS), 3, dtype=dtype, generator=torch.Generator().manual_seed(1))

    def network(scaled: Tensor, noise_level: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        return torch.sin(scaled) + (noise_level + condition.sum(1))[:, None, None, None]

    denoiser = EDM(sigma_data=DATA).denoiser(network)
    together = denoiser(x, torch.tensor(LEVELS, dtype=torch.float64), condition)
    assert together.dtype == dtype
    for i, sigma in enumerate(LEVELS):
        alone = denoiser(x[i : i + 1], sigma, condition[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)
        torch.testing.assert_close(denoiser(x[i : i + 1], torch.tensor(sigma), condition[i : i + 1]), alone)


def test_the_network_sees_one_noise_level_for_each_item_and_the_condition() -> None:
    seen = {}

    def network(scaled: Tensor, noise_level: Tensor, condition: Tensor | None) -> Tensor:
        seen.update(level=noise_level, condition=condition)
        return scaled

    EDM(sigma_data=DATA).denoiser(network)(torch.zeros(3, 1, 2, 2), 2.0, None)
    assert seen["level"].shape == (3,)
    assert seen["condition"] is None


def test_a_network_in_half_precision_leaves_the_dtype_of_x() -> None:
    denoiser = EDM(sigma_data=DATA).denoiser(lambda scaled, level, condition: scaled.bfloat16())
    assert denoiser(torch.zeros(2, 1), 1.0, None).dtype == torch.float32
    assert denoiser(torch.zeros(2, 1), torch.ones(2), None).dtype == torch.float32


def test_gradients_are_those_of_finite_differences() -> None:
    weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([0.1, 2.0], dtype=torch.float64)

    def loss(x: Tensor, weight: Tensor) -> Tensor:
        edm = EDM(sigma_data=DATA)
        denoiser = edm.denoiser(lambda scaled, level, condition: torch.tanh(weight * scaled) + level[:, None])
        error = (denoiser(x, sigma, None) - 1).square() * edm.loss_weight(sigma)[:, None]
        return error.mean() + denoiser(x, 0.4, None).square().mean()

    assert torch.autograd.gradcheck(loss, (x, weight))


def test_errors() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)sigma_data is still 'auto'.*fitted"):
        EDM().denoiser(lambda scaled, level, condition: scaled)
    with pytest.raises(GenaudioError, match="sigma_data is still 'auto'"):
        EDM().loss_weight(torch.ones(1))
    denoiser = EDM(sigma_data=DATA).denoiser(lambda scaled, level, condition: scaled)
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(GenaudioError, match="called at sigma"):
            denoiser(torch.zeros(2, 1), bad, None)
    with pytest.raises(GenaudioError, match=r"(?s)sigma is \(3,\) for x of \(2, 1\).*one noise level for each item"):
        denoiser(torch.zeros(2, 1), torch.ones(3), None)


def test_fitting_replaces_auto_and_nothing_else() -> None:
    assert EDM().fitted(0.3) == EDM(sigma_data=0.3)
    assert EDM(sigma_data=0.5, sigma_max=3.0).fitted(0.3) == EDM(sigma_data=0.5, sigma_max=3.0)
