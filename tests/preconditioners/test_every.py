"""What all preconditioners share: one denoiser, published losses, every solver.

The data is Gaussian, N(MEAN, STD^2), for which the best prediction of each parametrisation has a closed form. The
exact networks below are written in their own parametrisation and time, from the papers' definitions of the noisy input
and of the target, and know nothing of the coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genaudio import Solver, create
from genaudio.core.errors import GenaudioError
from genaudio.plugins.manager import discover
from genaudio.preconditioners.base import Coefficients, NetworkFunction, Preconditioner
from genaudio.preconditioners.edm import EDM
from genaudio.preconditioners.flow import Flow
from genaudio.preconditioners.ve import VE
from genaudio.preconditioners.velocity import Velocity
from genaudio.preconditioners.vp import VP
from genaudio.samplers.schedules.exponential import Exponential

MEAN, STD = 0.3, 0.45
DATA = 0.7  # sigma_data: not STD, as nothing may depend on its being right
LEVELS = [0.002, 0.05, 0.4, 0.7, 3.0, 80.0]
REGISTRY = discover("").registry


def best(x: Tensor, sigma: float | Tensor) -> Tensor:
    """E[x0 | x] for x = x0 + sigma n."""
    return (x * STD**2 + MEAN * sigma**2) / (STD**2 + sigma**2)


def regression(z: Tensor, signal: Tensor, noise: Tensor, a: Tensor, b: Tensor, unit: float = 1.0) -> Tensor:
    """E[a y0 + b n | z] for z = signal y0 + noise n and y0 = x0 / unit, by linear regression."""
    mean, variance = MEAN / unit, (STD / unit) ** 2
    covariance = a * signal * variance + b * noise
    return a * mean + covariance / (signal**2 * variance + noise**2) * (z - signal * mean)


def column(level: Tensor) -> Tensor:
    return level[:, None]


def edm_network(scaled: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
    """The target of Eq. 8 of EDM."""
    sigma = column((4 * level).exp())
    spread = (sigma**2 + DATA**2).sqrt()
    x = scaled * spread
    return (best(x, sigma) - DATA**2 / spread**2 * x) / (sigma * DATA / spread)


def vp_network(z: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
    """The noise of z = sqrt(a) x0 + sqrt(1 - a) n, with DDPM's a = exp(-integral of beta)."""
    time = column(level / 999)
    a = (-(19.9 * time**2 / 2 + 0.1 * time)).exp()
    return regression(z, a.sqrt(), (1 - a).sqrt(), torch.zeros_like(a), torch.ones_like(a))


def ve_network(x: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
    """sigma times the score of x: minus the noise."""
    sigma = column(2 * level.exp())
    return -sigma * (x - MEAN) / (STD**2 + sigma**2)


def velocity_network(z: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
    """v = cos n - sin y0 of z = cos y0 + sin n."""
    angle = column(level) * math.pi / 2
    return regression(z, angle.cos(), angle.sin(), -angle.sin(), angle.cos(), unit=DATA)


def flow_network(z: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
    """u = n - y0 of z = (1 - t) y0 + t n."""
    time = column(level)
    return regression(z, 1 - time, time, -torch.ones_like(time), torch.ones_like(time), unit=DATA)


CASES: dict[str, tuple[Preconditioner, NetworkFunction]] = {
    "edm": (EDM(sigma_data=DATA), edm_network),
    "vp": (VP(sigma_data=DATA), vp_network),
    "ve": (VE(sigma_data=DATA), ve_network),
    "velocity": (Velocity(sigma_data=DATA), velocity_network),
    "flow": (Flow(sigma_data=DATA), flow_network),
}
every = pytest.mark.parametrize("name", CASES)


def noisy(count: int, sigma: Tensor, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x0, n and x = x0 + sigma n, (count, 64) each."""
    generator = torch.Generator().manual_seed(seed)
    x0, n = (torch.randn(count, 64, dtype=torch.float64, generator=generator) for _ in range(2))
    x0 = MEAN + STD * x0
    return x0, n, x0 + column(sigma) * n


def test_every_built_in_is_here() -> None:
    assert list(CASES) == REGISTRY.names("preconditioner")
    assert all(create("preconditioner", name, sigma_data=DATA) == case[0] for name, case in CASES.items())


@every
def test_an_exact_network_gives_the_same_denoiser(name: str) -> None:
    preconditioner, network = CASES[name]
    denoiser = preconditioner.denoiser(network)
    sigma = torch.tensor(LEVELS, dtype=torch.float64)
    _, _, x = noisy(len(LEVELS), sigma)
    torch.testing.assert_close(denoiser(x, sigma, None), best(x, column(sigma)), rtol=0, atol=1e-10)
    for index, level in enumerate(LEVELS):
        clean = denoiser(x[index : index + 1], level, None)
        torch.testing.assert_close(clean, best(x[index : index + 1], level), rtol=0, atol=1e-10)


def published_losses(x0: Tensor, n: Tensor, sigma: Tensor, network: NetworkFunction) -> dict[str, Tensor]:
    """The mean squared error of each network at its own target, from its own noisy input."""

    def mean_square(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).square().mean(1)

    level, y0 = column(sigma), x0 / DATA
    a = 1 / (1 + level**2)
    time = (torch.sqrt(0.1**2 + 2 * 19.9 * (1 + sigma**2).log()) - 0.1) / 19.9
    angle = (level / DATA).atan()
    share = level / (DATA + level)
    spread = (level**2 + DATA**2).sqrt()
    x = x0 + level * n
    return {
        "edm": mean_square(
            network(x / spread, sigma.log() / 4, None), (x0 - DATA**2 / spread**2 * x) * spread / (level * DATA)
        ),
        "vp": mean_square(network(a.sqrt() * x0 + (1 - a).sqrt() * n, 999 * time, None), n),
        "ve": mean_square(network(x, (sigma / 2).log(), None), -n),
        "velocity": mean_square(
            network(angle.cos() * y0 + angle.sin() * n, angle[:, 0] * 2 / math.pi, None),
            angle.cos() * n - angle.sin() * y0,
        ),
        "flow": mean_square(network((1 - share) * y0 + share * n, share[:, 0], None), n - y0),
    }


@every
def test_the_weighted_loss_is_the_published_one(name: str) -> None:
    def network(scaled: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
        return torch.sin(3 * scaled) + torch.cos(column(level))

    sigma = torch.tensor(LEVELS, dtype=torch.float64)
    x0, n, x = noisy(len(LEVELS), sigma)
    preconditioner, _ = CASES[name]
    error = (preconditioner.denoiser(network)(x, sigma, None) - x0).square().mean(1)
    expected = published_losses(x0, n, sigma, network)[name]
    torch.testing.assert_close(preconditioner.loss_weight(sigma) * error, expected, rtol=1e-8, atol=0)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_float_and_one_level_for_each_item_agree(name: str, dtype: torch.dtype) -> None:
    sigma = torch.tensor(LEVELS, dtype=torch.float64)
    x = noisy(len(LEVELS), sigma)[2].to(dtype)
    condition = torch.randn(len(LEVELS), 3, dtype=dtype, generator=torch.Generator().manual_seed(1))

    def network(scaled: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        assert level.dtype == dtype
        return torch.sin(scaled) + column(level / 1000 + condition.sum(1))

    denoiser = CASES[name][0].denoiser(network)
    together = denoiser(x, sigma, condition)
    assert together.dtype == dtype
    for i, level in enumerate(LEVELS):
        alone = denoiser(x[i : i + 1], level, condition[i : i + 1])
        scale = float(x[i].abs().max())
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=scale * 8 * torch.finfo(dtype).eps)
        as_tensor = torch.tensor(level, dtype=torch.float64)
        assert torch.equal(denoiser(x[i : i + 1], as_tensor, condition[i : i + 1]), alone)


@every
def test_half_precision_does_not_reach_the_noise_level(name: str) -> None:
    seen: list[Tensor] = []

    def network(scaled: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
        assert scaled.dtype == torch.bfloat16
        seen.append(level)
        return scaled

    denoiser = CASES[name][0].denoiser(network)
    for sigma in (40.0, torch.tensor([40.0, 40.0], dtype=torch.float64)):
        assert denoiser(torch.zeros(2, 1, dtype=torch.bfloat16), sigma, None).dtype == torch.bfloat16
    exact = CASES[name][0].coefficients(torch.tensor(40.0, dtype=torch.float64)).c_noise.float().item()
    assert [level.tolist() for level in seen] == [[exact, exact]] * 2


@every
def test_nothing_is_read_back_from_the_device(name: str) -> None:
    """On the meta device, which has no values: what would wait for a device fails there."""
    denoiser = CASES[name][0].denoiser(lambda scaled, level, condition: scaled * column(level))
    x = torch.empty(3, 4, device="meta")
    for sigma in (0.5, torch.empty(3, dtype=torch.float64, device="meta")):
        clean = denoiser(x, sigma, None)
        assert (clean.device.type, clean.shape, clean.dtype) == ("meta", (3, 4), torch.float32)
    assert CASES[name][0].loss_weight(torch.empty(3, device="meta")).shape == (3,)


@every
def test_levels_and_shapes_are_checked(name: str) -> None:
    denoiser = CASES[name][0].denoiser(lambda scaled, level, condition: scaled)
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(GenaudioError, match="called at sigma"):
            denoiser(torch.zeros(2, 1), bad, None)
    with pytest.raises(GenaudioError, match=r"(?s)sigma is \(3,\) for x of \(2, 1\).*one noise level for each item"):
        denoiser(torch.zeros(2, 1), torch.ones(3), None)


@every
def test_the_published_noise_is_a_distribution_over_levels_that_sampling_visits(name: str) -> None:
    preconditioner, _ = CASES[name]
    noise = create("noise", **preconditioner.published_noise).fitted(DATA)  # type: ignore[attr-defined]
    levels = noise.sample(20_000, torch.Generator().manual_seed(0))
    inside = (levels > preconditioner.sigma_min) & (levels < preconditioner.sigma_max)
    assert inside.double().mean() > 0.99


@every
@pytest.mark.parametrize("solver_name", REGISTRY.names("solver"))
def test_every_solver_ends_at_the_exact_solution(name: str, solver_name: str) -> None:
    """From sigma_max on a fine geometric grid; a stochastic solver ends in the data's distribution instead."""
    preconditioner, network = CASES[name]
    low, high, steps = preconditioner.sigma_min, preconditioner.sigma_max, 250
    solver = create("solver", solver_name).fitted(DATA, steps)  # type: ignore[attr-defined]
    assert isinstance(solver, Solver)
    if solver.evaluations(steps) is None:  # it takes the ends of the grid alone: as accurate as it is asked to be
        solver = solver.model_copy(update={"rtol": 1e-4, "atol": 1e-5})
    x = high * torch.randn(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    denoiser = preconditioner.denoiser(network)
    end = solver.solve(
        lambda y, sigma: denoiser(y, sigma, None),
        x,
        Exponential().sigmas(steps, low, high),
        generator=torch.Generator().manual_seed(1),
    )
    if solver.stochastic:
        assert end.mean().item() == pytest.approx(MEAN, abs=0.05 * STD)
        assert end.std().item() == pytest.approx(STD, rel=0.05)
    else:
        exact = MEAN + (x - MEAN) * STD / math.hypot(STD, high)
        tolerance = 0.05 if solver.order == 1 else 2e-3
        assert (end - exact).abs().max() < tolerance * (exact - MEAN).abs().max()


def test_a_preconditioner_is_its_coefficients() -> None:
    """One that predicts x0 itself, and is written as a plugin's author would."""

    class Direct(Preconditioner):
        """D = F(x; sigma)."""

        def coefficients(self, sigma: Tensor) -> Coefficients:
            one = sigma.new_ones(sigma.shape)
            return Coefficients(c_skip=0 * one, c_out=one, c_in=one, c_noise=sigma)

    exact: Callable[..., Tensor] = lambda x, level, condition: best(x, column(level))  # noqa: E731
    denoiser = Direct().denoiser(exact)
    x = torch.randn(2, 5, dtype=torch.float64)
    torch.testing.assert_close(denoiser(x, 0.6, None), best(x, 0.6))
    assert Direct().loss_weight(torch.ones(2)).tolist() == [1, 1]
    assert dict(Direct().published_noise) == {"type": "log_normal"}
