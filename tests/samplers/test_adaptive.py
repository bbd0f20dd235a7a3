"""Solvers that choose their steps: errors follow the tolerance, every item for itself, and what they promise to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import RK45, solve_ivp
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.plugins.testing import check_solver
from genaudio.samplers.adaptive import Tolerance, Trial
from genaudio.samplers.base import Solver
from genaudio.samplers.dpm import DPM
from genaudio.samplers.dpm_adaptive import DPMAdaptive, _DPMPair
from genaudio.samplers.runge_kutta_adaptive import RungeKuttaAdaptive, _DormandPrince

DOUBLE = torch.float64
ENDS = torch.tensor([80.0, 0.002, 0.0], dtype=DOUBLE)
ADAPTIVE: list[Solver] = [
    RungeKuttaAdaptive(),
    *(DPMAdaptive(order=order, prediction=prediction) for order in (2, 3) for prediction in ("noise", "data")),
]


def label(solver: Solver) -> str:
    return "-".join([type(solver).__name__, *(str(value) for value in solver.model_dump().values())])


every_solver = pytest.mark.parametrize("solver", ADAPTIVE, ids=label)

MEANS = torch.tensor([-0.8, -0.2, 0.3, 0.7], dtype=DOUBLE)
VARIANCES = torch.tensor([0.2, 0.15, 0.3, 0.25], dtype=DOUBLE).square()


def mixture(x: Tensor, sigma: float) -> Tensor:
    variance = VARIANCES + sigma**2
    gap = x.double()[..., None] - MEANS
    weight = (-(gap**2) / (2 * variance) - 0.5 * variance.log()).softmax(-1)
    return (weight * (MEANS + VARIANCES / variance * gap)).sum(-1).to(x.dtype)


class Counting:
    """A denoiser that knows how often it was called, and at which levels."""

    def __init__(self) -> None:
        self.levels: list[float] = []

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        assert type(sigma) is float
        assert sigma > 0
        self.levels.append(sigma)
        return mixture(x, sigma)


def start(*shape: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    return (80 * torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)).to(dtype)


@pytest.fixture(scope="module")
def reference() -> tuple[Tensor, Tensor]:
    x = start(6, 1)

    def slope(log_sigma: float, y: np.ndarray) -> np.ndarray:
        point = torch.from_numpy(y)
        return (point - mixture(point, math.exp(log_sigma))).numpy()

    span = (math.log(80), math.log(0.002))
    run = solve_ivp(slope, span, x.flatten().numpy(), method="DOP853", rtol=1e-12, atol=1e-13)
    return x, torch.from_numpy(run.y[:, -1])[:, None]


@every_solver
def test_the_error_follows_the_tolerance(solver: Solver, reference: tuple[Tensor, Tensor]) -> None:
    x, exact = reference
    tolerances = (1e-2, 1e-3, 1e-4, 1e-5) if solver.order > 2 else (1e-2, 1e-3, 1e-4)
    errors, calls = [], []
    for tolerance in tolerances:
        counting = Counting()
        tight = solver.model_copy(update={"rtol": tolerance, "atol": tolerance, "max_evaluations": 10_000})
        errors.append((tight.solve(counting, x, ENDS[:2]) - exact).abs().max().item())
        calls.append(len(counting.levels))
    assert all(error < 10 * tolerance for error, tolerance in zip(errors, tolerances, strict=True))
    assert calls == sorted(calls)
    # Evaluations grow as the tolerance to the power -1 / (order of the estimated error), roughly.
    assert calls[-1] / calls[-2] < 1.5 * 10 ** (1 / solver.order)


@every_solver
def test_the_step_to_zero_is_extrapolated(solver: Solver) -> None:
    """Ending at 0.05 leaves no floor of 0.05^2 / 2, whatever the last accepted step."""
    x = start(4) / 8
    tight = solver.model_copy(update={"rtol": 1e-6, "atol": 1e-6, "max_evaluations": 10_000})
    result = tight.solve(lambda y, sigma: y / (1 + sigma**2), x, torch.tensor([10.0, 0.05, 0.0]))
    assert (result - x / math.hypot(1, 10)).abs().max() < (2e-4 if solver.order == 2 else 5e-5)


@every_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_item_chooses_its_own_steps(solver: Solver, dtype: torch.dtype) -> None:
    """To the bit the same alone and in a batch, though the items need different steps."""
    solver = solver.model_copy(update={"rtol": 1e-5, "atol": 1e-5, "max_evaluations": 10_000})
    x = start(5, 2, 1, dtype=dtype)
    x[1] *= 0.01
    x[2] = 3.0
    before = x.clone()
    counting = Counting()
    together = solver.solve(counting, x, ENDS)
    assert torch.equal(x, before)
    assert together.dtype == dtype
    alone, calls = [], []
    for item in x:
        single = Counting()
        alone.append(solver.solve(single, item[None], ENDS)[0])
        calls.append(len(single.levels))
    assert torch.equal(together, torch.stack(alone))
    assert len(set(calls)) > 1  # they do differ
    assert max(calls) <= len(counting.levels) < sum(calls)  # and share what they can


@every_solver
def test_it_conforms(solver: Solver) -> None:
    check_solver(solver)


@every_solver
def test_only_the_ends_of_a_schedule_matter(solver: Solver) -> None:
    x = start(2, 3)
    through = torch.tensor([80.0, 7.0, 1.0, 0.002, 0.0], dtype=DOUBLE)
    assert torch.equal(solver.solve(mixture, x, through), solver.solve(mixture, x, ENDS))
    assert solver.evaluations(7) is None
    with pytest.raises(GenaudioError, match=r"(?s)budget of evaluations for an adaptive solver.*tolerance"):
        solver.num_steps(20)


@every_solver
def test_one_step_to_zero_is_the_denoiser(solver: Solver) -> None:
    counting = Counting()
    x = start(3)
    assert torch.equal(solver.solve(counting, x, torch.tensor([80.0, 0.0])), mixture(x, 80.0))
    assert counting.levels == [80.0]


@every_solver
def test_the_ends_are_met_exactly_and_backwards_undoes_forwards(solver: Solver) -> None:
    tight = solver.model_copy(update={"rtol": 1e-6, "atol": 1e-6, "max_evaluations": 10_000})
    x = start(4) / 100
    counting = Counting()
    noise = tight.solve(counting, x, torch.tensor([0.1, 10.0], dtype=DOUBLE))
    assert counting.levels[0] == 0.1
    assert (noise - x).abs().max() > 3
    back = tight.solve(mixture, noise, torch.tensor([10.0, 0.1], dtype=DOUBLE))
    assert (back - x).abs().max() < 1e-3


@every_solver
def test_nothing_is_drawn_and_progress_ends(solver: Solver) -> None:
    generator = torch.Generator().manual_seed(3)
    states = torch.get_rng_state(), generator.get_state()
    told: list[tuple[int, int]] = []
    solver.solve(mixture, start(3), ENDS, generator=generator, callback=lambda done, total: told.append((done, total)))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(generator.get_state(), states[1])
    assert told == sorted(told)
    assert told[-1] == (1000, 1000)
    assert told.count((1000, 1000)) == 1
    assert not solver.stochastic


@every_solver
def test_half_precision_is_finite(solver: Solver) -> None:
    loose = solver.model_copy(update={"rtol": 0.05, "atol": 0.05})
    x = start(2, 3, dtype=torch.bfloat16)
    result = loose.solve(mixture, x, ENDS)
    assert result.dtype == torch.bfloat16
    assert result.isfinite().all()


@every_solver
def test_gradients_flow(solver: Solver) -> None:
    x = (start(2, 1) / 40).requires_grad_()
    sigmas = torch.tensor([2.0, 0.3, 0.0], dtype=DOUBLE)
    # Steps are chosen from the errors, which no gradient sees: the function is smooth but where a choice changes.
    assert torch.autograd.gradcheck(lambda y: solver.solve(mixture, y, sigmas), (x,), eps=1e-7, atol=1e-4)


@every_solver
def test_too_many_evaluations_are_an_error(solver: Solver) -> None:
    limited = solver.model_copy(update={"rtol": 1e-9, "atol": 1e-9, "max_evaluations": 30})
    text = r"(?s)30 evaluations take an item only to a noise level of \d.*max_evaluations.*raise rtol and atol"
    with pytest.raises(GenaudioError, match=text):
        limited.solve(mixture, start(2), ENDS)


@every_solver
def test_a_denoiser_that_is_not_finite_is_named(solver: Solver) -> None:
    def broken(x: Tensor, sigma: float) -> Tensor:
        return x / (1 + sigma**2) if sigma > 1 else x * math.nan

    with pytest.raises(
        GenaudioError, match=r"(?s)shortest step from the noise level \d.*leaves no finite x.*finite and smooth"
    ):
        solver.model_copy(update={"max_evaluations": 10_000}).solve(broken, start(2), ENDS)


def test_what_is_no_schedule_is_refused() -> None:
    for sigmas in (torch.tensor([1.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0, 0.5])):
        with pytest.raises(GenaudioError, match="sigmas"):
            RungeKuttaAdaptive().solve(mixture, start(2), sigmas)


def test_dormand_prince_has_the_coefficients_of_scipys() -> None:
    """One step and its error estimate beside scipy's tableau, on x / rho by the angle."""
    data, s, t = 0.7, 2.0, 1.1
    x = start(5) / 40
    trial = _DormandPrince(data).trial(mixture, x, mixture(x, s), s, t)
    begin, h = math.atan(s / data), math.atan(t / data) - math.atan(s / data)

    def slope(angle: float, z: Tensor) -> Tensor:
        sigma = data * math.tan(angle)
        rho = math.hypot(sigma, data)
        by_sigma = (rho * z - mixture(rho * z, sigma)) / sigma / rho - z * sigma / rho**2
        return by_sigma * rho**2 / data

    z = x / math.hypot(s, data)
    slopes = []
    for share, row in zip(RK45.C, RK45.A, strict=True):
        inner = sum((weight * k for weight, k in zip(row, slopes, strict=False)), torch.zeros_like(z))
        slopes.append(slope(begin + share * h, z + h * inner))
    end = z + h * sum(weight * k for weight, k in zip(RK45.B, slopes, strict=True))
    slopes.append(slope(begin + h, end))
    error = h * sum(weight * k for weight, k in zip(RK45.E, slopes, strict=True))
    rho = math.hypot(t, data)
    torch.testing.assert_close(trial.x, rho * end, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(trial.error.abs(), rho * error.abs(), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(trial.clean, mixture(trial.x, t))


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("prediction", ["noise", "data"])
def test_a_trial_step_is_one_of_the_singlestep_solver(order: int, prediction: str) -> None:
    """The higher method; its error is the difference to one that is of the order below."""
    x = start(5) / 40

    def difference(ratio: float) -> tuple[Trial, Tensor]:
        t = 2.0 / ratio
        trial = _DPMPair(order, prediction).trial(mixture, x, mixture(x, 2.0), 2.0, t)
        fixed = DPM(variant="singlestep", order=order, prediction=prediction)
        torch.testing.assert_close(trial.x, fixed.solve(mixture, x, torch.tensor([2.0, t], dtype=DOUBLE)))
        return trial, trial.error.abs().max()

    errors = [difference(1 + 0.04 / 2**k)[1].item() for k in (0, 1)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_the_error_of_an_item_is_measured_at_unit_variance() -> None:
    x = torch.full((2, 8), 4.0)
    trial = Trial(torch.full((2, 8), 2.0), torch.tensor([[0.1], [0.2]]).expand(2, 8), None)
    allowed = Tolerance(rtol=0.1, atol=0.01, sigma_data=3.0, max_evaluations=10)
    before, after = 5.0, math.hypot(1, 3)  # at sigma 4 and 1
    limit = 0.01 + 0.1 * max(4 / before, 2 / after)
    assert allowed.errors(x, 4.0, 1.0, trial) == pytest.approx([0.1 / after / limit, 0.2 / after / limit])
