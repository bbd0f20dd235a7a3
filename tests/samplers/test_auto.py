"""The default solver and schedule: what they choose, and that they are what they choose."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.samplers.auto import Auto
from genaudio.samplers.defaults import BANDS, BANDS_OF_MANY, MANY, Band, band
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.schedules.auto import Auto as AutoSchedule
from genaudio.samplers.schedules.sinh import Sinh


@pytest.mark.parametrize(("bands", "dimensions"), [(BANDS, 64), (BANDS_OF_MANY, 2 * 128 * 64)])
def test_every_budget_has_one_band_and_the_order_never_falls_once_there_is_a_corrector(
    bands: tuple[Band, ...], dimensions: int
) -> None:
    assert [b.most for b in bands] == sorted(b.most for b in bands)
    assert bands[-1].most == float("inf")
    orders = [band(nfe, dimensions).order for nfe in range(1, 200) if band(nfe, dimensions).corrector]
    assert orders == sorted(orders)


@pytest.mark.parametrize("nfe", [1, 5, 10, 20, 50, 300])
def test_the_solver_is_the_integrator_that_its_band_names(nfe: int) -> None:
    solver = Auto().fitted(0.3, nfe)
    assert isinstance(solver, ExponentialIntegrator)
    assert (solver.prediction, solver.sigma_data) == ("velocity", band(nfe).scale * 0.3)
    assert (solver.order, solver.corrector, solver.basis) == (band(nfe).order, band(nfe).corrector, band(nfe).basis)
    assert Auto(sigma_data=0.7).fitted(0.3, nfe).sigma_data == band(nfe).scale * 0.7


@pytest.mark.parametrize("nfe", [1, 5, 10, 20, 50, 127, 140])
def test_a_budget_is_spent_to_the_last_evaluation_where_it_can_be(nfe: int) -> None:
    solver = Auto()
    steps = solver.num_steps(nfe)
    assert solver.evaluations(steps) <= nfe
    if nfe < 128:
        assert steps == nfe


@pytest.mark.parametrize("steps", [1, 4, 9, 18, 40])
def test_unfitted_it_solves_as_the_solver_for_as_many_steps(steps: int) -> None:
    sigmas = AutoSchedule().fitted(0.5, steps).sigmas(steps, 0.002, 80.0)
    x = torch.linspace(-90, 90, 7, dtype=torch.float64)
    chosen = Auto().fitted(0.5, steps)
    assert torch.equal(
        Auto().solve(lambda y, s: (y / (1 + s)).tanh(), x, sigmas),
        chosen.solve(lambda y, s: (y / (1 + s)).tanh(), x, sigmas),
    )


def test_the_schedule_is_the_sinh_schedule_that_its_band_names() -> None:
    for nfe in (3, 11, 22, 99):
        chosen, schedule = band(nfe), AutoSchedule().fitted(0.4, nfe)
        expected = Sinh(
            centre=chosen.centre,
            width_above=chosen.width_above,
            width_below=chosen.width_below,
            lowest=chosen.lowest,
            sigma_data=0.4,
        )
        assert schedule == expected


def test_items_of_many_numbers_have_bands_of_their_own() -> None:
    assert {band(10), band(10, 1), band(10, MANY - 1)} <= set(BANDS)
    many = band(10, MANY)
    assert many in BANDS_OF_MANY
    assert Auto().fitted(0.3, 10, MANY).sigma_data == many.scale * 0.3
    assert AutoSchedule().fitted(0.3, 10, MANY) != AutoSchedule().fitted(0.3, 10)
    assert AutoSchedule().fitted(0.3, 10, MANY).centre == many.centre


def test_unfitted_the_solver_counts_the_numbers_itself() -> None:
    sigmas = AutoSchedule().fitted(0.5, 10, MANY).sigmas(10, 0.002, 80.0)
    x = torch.linspace(-90, 90, 2 * MANY, dtype=torch.float64).view(2, MANY)
    chosen = Auto().fitted(0.5, 10, MANY)
    assert torch.equal(
        Auto().solve(lambda y, s: (y / (1 + s)).tanh(), x, sigmas),
        chosen.solve(lambda y, s: (y / (1 + s)).tanh(), x, sigmas),
    )


def test_a_schedule_that_does_not_know_the_data_says_so() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)sigma_data is still 'auto'.*call fitted"):
        AutoSchedule().sigmas(5, 0.002, 80.0)


def test_it_is_far_more_accurate_than_the_usual_sampler_on_a_mixture() -> None:
    """Two narrow modes: a third of the error of Heun's method on Karras' schedule at every budget."""
    from genaudio.samplers.heun import Heun
    from genaudio.samplers.schedules.karras import Karras

    means = torch.tensor([-0.4, 0.5], dtype=torch.float64)

    def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
        variance = 0.1**2 + sigma**2
        gap = x[..., None] - means
        share = (-(gap**2) / (2 * variance)).softmax(-1)
        return (share * (means + 0.1**2 / variance * gap)).sum(-1)

    x = 80 * torch.linspace(-1.7, 1.3, 31, dtype=torch.float64)
    fine = ExponentialIntegrator(order=4, warmup="singlestep").solve(denoise, x, Karras().sigmas(3000, 0.002, 80.0))

    def error(result: torch.Tensor) -> float:
        return (result - fine).square().mean().sqrt().item()

    for nfe in (9, 15, 21, 41):
        usual = Heun().solve(denoise, x, Karras().sigmas(Heun().num_steps(nfe), 0.002, 80.0))
        ours = Auto().solve(denoise, x, AutoSchedule().fitted(0.46, nfe).sigmas(nfe, 0.002, 80.0))
        assert error(ours) < error(usual) / 3
