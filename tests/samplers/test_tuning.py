"""Tuned grids on mixtures of Gaussians, whose denoiser is known: better on noises that the search has not seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Solver
from genaudio.samplers.dpm import DPM
from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.tuning import Trajectories, relative_error, tune

HIGH, LOW = 80.0, 0.002
MEANS = torch.tensor([-0.8, -0.2, 0.25, 0.7], dtype=torch.float64)
VARIANCES = torch.tensor([0.15, 0.05, 0.1, 0.2], dtype=torch.float64).square()
WEIGHTS = torch.tensor([0.3, 0.2, 0.2, 0.3], dtype=torch.float64)


def mixture(x: Tensor, sigma: float) -> Tensor:
    """D of a mixture on the line, applied to each value: (items, values) to the same."""
    variance = VARIANCES + sigma**2
    gap = x[..., None] - MEANS
    weight = (WEIGHTS.log() - gap.square() / (2 * variance) - 0.5 * variance.log()).softmax(-1)
    return (weight * (MEANS + VARIANCES / variance * gap)).sum(-1)


def trajectories(seed: int, items: int = 48) -> Trajectories:
    x = HIGH * torch.randn(items, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    fine = Karras(rho=50.0).sigmas(600, 0.0005, HIGH)
    return Trajectories(mixture, x, ExponentialIntegrator(order=4).solve(mixture, x, fine))


@pytest.fixture(scope="module")
def seen() -> Trajectories:
    return trajectories(1)


@pytest.fixture(scope="module")
def held_out() -> Trajectories:
    return trajectories(2)


@pytest.fixture(scope="module")
def unseen() -> Trajectories:
    return trajectories(3, 256)


def error(solver: Solver, of: Trajectories, grid: Tensor) -> float:
    return relative_error(solver.solve(of.denoiser, of.x, grid), of.reference)


def karras(solver: Solver, nfe: int = 10) -> Tensor:
    return Karras().sigmas(solver.num_steps(nfe), LOW, HIGH)


@pytest.mark.parametrize(
    ("solver", "factor"),
    [(DPM(order=2), 3.0), (ExponentialIntegrator(prediction="velocity"), 3.0), (Heun(), 3.0), (Euler(), 1.5)],
    ids=["dpm", "velocity", "heun", "euler"],
)
def test_ten_evaluations_err_less_by_a_factor_on_noises_never_seen(
    solver: Solver, factor: float, seen: Trajectories, held_out: Trajectories, unseen: Trajectories
) -> None:
    start = karras(solver)
    tuning = tune(solver, *seen, start, held_out=held_out)
    assert error(solver, unseen, start) > factor * error(solver, unseen, tuning.sigmas)
    assert tuning.found == "search"


def test_errors_are_those_of_the_held_out_trajectories(seen: Trajectories, held_out: Trajectories) -> None:
    solver = DPM()
    tuning = tune(solver, *seen, karras(solver), held_out=held_out, max_solves=40)
    assert tuning.error == error(solver, held_out, tuning.sigmas)
    assert tuning.error_before == error(solver, held_out, karras(solver))
    assert tuning.solves == 40


def test_the_ends_stay_and_the_grid_falls(seen: Trajectories) -> None:
    solver = DPM()
    sigmas = tune(solver, *seen, karras(solver)).sigmas
    assert sigmas.dtype == torch.float64
    assert sigmas.shape == karras(solver).shape
    assert (float(sigmas[0]), float(sigmas[-2]), float(sigmas[-1])) == (HIGH, LOW, 0.0)
    assert bool((sigmas.diff() < 0).all())


def test_the_last_level_moves_within_its_range_where_that_helps(seen: Trajectories, held_out: Trajectories) -> None:
    """The step to 0 of this solver is a good one, so a last level far below what the data hold is a wasted step."""
    solver = DPM()
    start = Karras().sigmas(6, 1e-4, HIGH)
    fixed = tune(solver, *seen, start, held_out=held_out)
    moved = tune(solver, *seen, start, held_out=held_out, lowest=(1e-4, 0.05))
    assert float(fixed.sigmas[-2]) == 1e-4
    assert 2e-4 < float(moved.sigmas[-2]) <= 0.05
    assert moved.error < fixed.error


def test_equal_arguments_give_equal_grids_and_seeds_matter(seen: Trajectories) -> None:
    solver = DPM()

    def found(seed: int) -> Tensor:
        return tune(solver, *seen, karras(solver, nfe=6), seed=seed).sigmas

    assert torch.equal(found(0), found(0))
    assert not torch.equal(found(0), found(1))


@pytest.mark.parametrize("max_solves", [0, 1, 4, 9])
def test_a_budget_that_is_spent_early_gives_the_best_so_far(seen: Trajectories, max_solves: int) -> None:
    solver = DPM()
    heard: list[tuple[int, float]] = []
    tuning = tune(
        solver,
        *seen,
        karras(solver),
        max_solves=max_solves,
        on_solve=lambda solves, error: heard.append((solves, error)),
    )
    assert [solves for solves, _ in heard] == list(range(1, max_solves + 1))
    assert [error for _, error in heard] == sorted((error for _, error in heard), reverse=True)
    assert tuning.error <= min([tuning.error_before, *(error for _, error in heard)]) + 1e-12


def test_a_stop_that_is_asked_for_gives_the_best_so_far(seen: Trajectories) -> None:
    solver = DPM()
    heard: list[float] = []
    tuning = tune(
        solver,
        *seen,
        karras(solver),
        stop=lambda: len(heard) >= 30,
        on_solve=lambda _, error: heard.append(error),
    )
    assert tuning.solves == 30
    assert tuning.error == pytest.approx(heard[-1], rel=1e-9)


def test_never_worse_than_the_start_even_where_the_search_misleads(held_out: Trajectories) -> None:
    """The search sees ends that no solver reaches; on true ones nothing that it finds may win by being chosen."""
    solver = DPM()
    wrong = Trajectories(mixture, held_out.x, held_out.reference.flip(0))
    tuned = tune(solver, *trajectories(1), karras(solver), held_out=held_out).sigmas
    misled = tune(solver, *wrong, tuned, held_out=held_out)
    assert misled.error <= misled.error_before
    assert torch.equal(tune(solver, *wrong, tuned, held_out=held_out, max_solves=0).sigmas, tuned)


def test_one_step_has_nothing_to_tune_and_two_steps_one_level(seen: Trajectories) -> None:
    one = torch.tensor([HIGH, 0.0], dtype=torch.float64)
    tuning = tune(Euler(), *seen, one)
    assert torch.equal(tuning.sigmas, one)
    assert (tuning.solves, tuning.found) == (0, "given")
    two = torch.tensor([HIGH, 1.0, 0.0], dtype=torch.float64)
    assert torch.equal(tune(Euler(), *seen, two).sigmas, two)
    moved = tune(Euler(), *seen, two, lowest=(LOW, 10.0))
    assert moved.error <= moved.error_before


@pytest.mark.parametrize(
    ("solver", "changes", "message"),
    [
        (Heun(s_churn=5.0), {}, "which is stochastic: it draws fresh noise"),
        (DPM(), {"start": torch.tensor([80.0, 1.0])}, "levels that fall to 0"),
        (DPM(), {"start": torch.tensor([80.0, 90.0, 0.0])}, "each noise level lower"),
        (DPM(), {"lowest": (0.1, 0.01)}, "lowest is 0.1 to 0.01"),
        (DPM(), {"lowest": (0.1, 80.0)}, "below the first level, which is 80"),
        (DPM(), {"reference": torch.zeros(48, 4)}, "a reference whose root mean square is 0.0"),
        (DPM(), {"reference": torch.full((48, 4), torch.nan)}, "the model may have diverged"),
        (DPM(), {"reference": torch.zeros(47, 4)}, "an end for each start"),
    ],
)
def test_what_cannot_be_tuned_is_refused(solver: Solver, changes: dict, message: str, seen: Trajectories) -> None:
    arguments = {**seen._asdict(), "start": karras(DPM()), **changes}
    with pytest.raises(GenaudioError) as caught:
        tune(solver, **arguments)
    assert message in str(caught.value)


def test_a_start_that_overflows_is_refused_and_one_that_the_search_meets_is_passed_over(seen: Trajectories) -> None:
    solver = DPM()

    def fragile(x: Tensor, sigma: float) -> Tensor:
        return mixture(x, sigma) if sigma in karras(solver).tolist() else x * torch.nan

    tuning = tune(solver, fragile, seen.x, seen.reference, karras(solver), max_solves=20)
    assert torch.equal(tuning.sigmas, karras(solver))
    with pytest.raises(GenaudioError, match="ends at values that are not finite"):
        tune(solver, fragile, seen.x, seen.reference, Karras(rho=3.0).sigmas(10, LOW, HIGH), max_solves=5)


def test_ends_that_are_exact_whatever_the_grid_leave_nothing_to_search() -> None:
    """Two points at -1 and 1: nearly every item ends in one of them, on any grid."""

    def points(x: Tensor, sigma: float) -> Tensor:
        return torch.tanh(x / sigma**2)

    x = trajectories(1).x
    start = Karras().sigmas(6, 0.01, HIGH)
    exact = Heun().solve(points, x, Karras().sigmas(200, 0.01, HIGH))
    tuning = tune(DPM(), points, x, exact, start)
    assert tuning.error <= tuning.error_before < 1.5
    alike = tune(DPM(), lambda x, sigma: torch.ones_like(x), x, torch.ones_like(x), start)
    assert alike.error == pytest.approx(0, abs=1e-12)
