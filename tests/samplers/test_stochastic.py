"""Solvers with fresh noise: the distribution they end in, the noise they add, and on which path."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.plugins.testing import check_solver
from genaudio.samplers.base import Solver, StepSolver
from genaudio.samplers.brownian import BrownianPath
from genaudio.samplers.dpm_sde import DPMSDE
from genaudio.samplers.euler_ancestral import EulerAncestral
from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.karras import Karras

STD, MEAN = 0.5, 0.3
STOCHASTIC: list[StepSolver] = [
    Heun(s_churn=20.0),
    *(EulerAncestral(noise=noise, eta=eta) for noise in ("fresh", "brownian") for eta in (0.5, 1.0)),
    *(DPMSDE(noise=noise, order=order) for noise in ("fresh", "brownian") for order in (1, 2, 3)),
    DPMSDE(noise="brownian", eta=0.4),
    DPMSDE(order=3, published=True),
]


def label(solver: Solver) -> str:
    return "-".join([type(solver).__name__, *(str(value) for value in solver.model_dump().values())])


every_solver = pytest.mark.parametrize("solver", STOCHASTIC, ids=label)


def gaussian(x: Tensor, sigma: float) -> Tensor:
    return (x * STD**2 + MEAN * sigma**2) / (STD**2 + sigma**2)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def start(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return (80 * torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(dtype)


@every_solver
def test_the_end_has_the_datas_distribution(solver: StepSolver) -> None:
    x = start(20_000, dtype=torch.float32)
    sigmas = Karras().sigmas(250, 0.002, 80.0)
    result = solver.solve(gaussian, x, sigmas, generator=torch.Generator().manual_seed(1))
    assert result.mean().item() == pytest.approx(MEAN, abs=0.015)
    assert result.std().item() == pytest.approx(STD, rel=0.03)
    # ... and the ends are not tied to the starts.
    assert abs(torch.corrcoef(torch.stack([x, result]))[0, 1].item()) < 0.9


@every_solver
def test_an_item_depends_neither_on_its_neighbours_nor_on_the_batch(solver: StepSolver) -> None:
    x = start(3, 2, 4, dtype=torch.float32)
    before = x.clone()
    sigmas = Karras().sigmas(8, 0.002, 80.0)
    together = solver.solve(gaussian, x, sigmas, generator=generators(5, 6, 7))
    assert torch.equal(x, before)
    for i, seed in enumerate((5, 6, 7)):
        assert torch.equal(
            together[i : i + 1], solver.solve(gaussian, x[i : i + 1], sigmas, generator=generators(seed))
        )
    assert not torch.equal(together[2], solver.solve(gaussian, x, sigmas, generator=generators(5, 6, 8))[2])


@every_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_finite_from_1_step_to_40_and_evaluations_as_declared(solver: StepSolver, dtype: torch.dtype) -> None:
    x = start(2, 3, dtype=dtype)
    for num_steps in (1, 2, 3, 5, 40):
        calls = []

        def counting(y: Tensor, sigma: float, calls: list[float] = calls) -> Tensor:
            assert y.dtype == dtype
            calls.append(sigma)
            return gaussian(y, sigma)

        result = solver.solve(counting, x, Karras().sigmas(num_steps, 0.002, 80.0), generator=generators(1, 2))
        assert result.dtype == dtype
        assert result.isfinite().all()
        assert len(calls) == solver.evaluations(num_steps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "solver", [DPMSDE(noise="brownian", order=3), EulerAncestral(noise="brownian"), Heun(s_churn=20.0)], ids=label
)
def test_2000_steps_end_in_the_datas_distribution(solver: StepSolver, dtype: torch.dtype) -> None:
    x = start(3000, dtype=dtype)
    result = solver.solve(
        gaussian, x, Karras().sigmas(2000, 0.002, 80.0), generator=torch.Generator().manual_seed(1)
    ).float()
    assert result.mean().item() == pytest.approx(MEAN, abs=0.04)
    assert result.std().item() == pytest.approx(STD, rel=0.06)


@every_solver
def test_without_generators_the_global_one_is_used(solver: StepSolver) -> None:
    sigmas = Karras().sigmas(6, 0.002, 80.0)
    torch.manual_seed(3)
    first = solver.solve(gaussian, start(2, 3), sigmas)
    assert not torch.equal(first, solver.solve(gaussian, start(2, 3), sigmas))
    torch.manual_seed(3)
    assert torch.equal(first, solver.solve(gaussian, start(2, 3), sigmas))


@every_solver
def test_running_backwards_is_refused(solver: StepSolver) -> None:
    sigmas = torch.tensor([0.1, 1.0, 5.0])
    with pytest.raises(
        GenaudioError, match=r"(?s)sigmas rises from 0\.1 to 5, and \w+ adds fresh noise.*cannot be run"
    ):
        solver.solve(gaussian, start(2), sigmas, generator=generators(1, 2))


@every_solver
def test_it_conforms(solver: StepSolver) -> None:
    check_solver(solver)


@pytest.mark.parametrize("solver", [EulerAncestral(noise="brownian"), DPMSDE(noise="brownian")], ids=label)
def test_steps_on_a_path_are_pure(solver: StepSolver) -> None:
    """An earlier state can be stepped again, with the same noise."""
    x = start(2, 3)
    sigmas = Karras().sigmas(6, 0.1, 80.0)
    y, state = x, solver.init(x)
    for coefficients in solver.plan(sigmas.tolist()):
        following, next_state = solver.step(gaussian, y, state, coefficients, generators(1, 2))
        again, _ = solver.step(gaussian, y, state, coefficients, generators(1, 2))
        assert torch.equal(following, again)
        y, state = following, next_state
    assert torch.equal(y, solver.solve(gaussian, x, sigmas, generator=generators(1, 2)))


@every_solver
def test_gradients_flow(solver: StepSolver) -> None:
    x = (start(2) / 20).requires_grad_()
    sigmas = Karras().sigmas(4, 0.1, 3.0)
    assert torch.autograd.gradcheck(lambda y: solver.solve(gaussian, y, sigmas, generator=generators(1, 2)), (x,))


@pytest.mark.parametrize(
    "solver", [solver for solver in STOCHASTIC if getattr(solver, "noise", None) == "brownian"], ids=label
)
def test_brownian_noise_leaves_the_generators_as_they_are(solver: StepSolver) -> None:
    given = generators(1, 2)
    states = [generator.get_state() for generator in given], torch.get_rng_state()
    sigmas = Karras().sigmas(6, 0.002, 80.0)
    first = solver.solve(gaussian, start(2, 3), sigmas, generator=given)
    assert all(torch.equal(generator.get_state(), state) for generator, state in zip(given, states[0], strict=True))
    assert torch.equal(torch.get_rng_state(), states[1])
    assert torch.equal(first, solver.solve(gaussian, start(2, 3), sigmas, generator=given))


def test_an_ancestral_step_is_a_draw_from_the_posterior() -> None:
    """Mean and variance of q(x_t | x_s, clean = D) in closed form, for eta = 1."""
    s, t = 2.0, 0.7
    x = torch.full((200_000,), 1.9, dtype=torch.float64)
    clean = gaussian(x, s)[0].item()
    mean = clean + (t / s) ** 2 * (1.9 - clean)  # x_s given x_t is x_t + noise of variance s^2 - t^2
    variance = t**2 * (1 - t**2 / s**2)
    for solver in (EulerAncestral(), EulerAncestral(noise="brownian"), DPMSDE(order=1), DPMSDE(noise="brownian")):
        result = solver.solve(gaussian, x, torch.tensor([s, t]), generator=torch.Generator().manual_seed(1))
        assert result.mean().item() == pytest.approx(mean, abs=0.01)
        assert result.var().item() == pytest.approx(variance, rel=0.02)


def test_the_ancestral_split() -> None:
    """Squares of what Euler reaches and of what noise adds sum up to the level, whatever eta."""
    levels = [80.0, 20.0, 3.0, 0.5, 0.0]
    for eta in (0.3, 1.0, 1.5, 10.0):
        for step in EulerAncestral(eta=eta).plan(levels):
            down = step.sigma * (1 - step.weight)
            assert math.hypot(down, step.noise) == pytest.approx(step.following, abs=1e-12)
    assert EulerAncestral().plan(levels)[-1].noise == 0
    assert EulerAncestral(s_noise=0.5).plan(levels)[1].noise == pytest.approx(
        0.5 * EulerAncestral().plan(levels)[1].noise
    )


@pytest.mark.parametrize("eta", [0.4, 1.0])
@pytest.mark.parametrize("order", [2, 3])
def test_a_solver_of_the_sde_is_the_published_formula(order: int, eta: float) -> None:
    """The multistep formulas with h scaled by 1 + eta, by divided differences, on the same draws."""
    solver = DPMSDE(order=order, eta=eta, s_noise=1.01, published=True)
    x = start(2, 3)
    sigmas = Karras().sigmas(9, 0.002, 80.0)[:-1]
    result = solver.solve(nonlinear, x, sigmas, generator=generators(1, 2))
    draws, past, steps = generators(1, 2), [], []
    for s, t in pairwise(sigmas.tolist()):
        h = math.log(s / t)
        scaled = h * (1 + eta)
        clean = nonlinear(x, s)
        phi_1 = -math.expm1(-scaled)
        phi_2 = math.expm1(-scaled) / scaled + 1
        phi_3 = phi_2 / scaled - 0.5
        following = t / s * math.exp(-h * eta) * x + phi_1 * clean
        if past and (order == 2 or len(past) == 1):
            following = following + 0.5 * phi_1 * h / steps[0] * (clean - past[0])
        elif len(past) == 2:
            r0, r1 = steps[0] / h, steps[1] / h
            first, before = (clean - past[0]) / r0, (past[0] - past[1]) / r1
            slope = first + (first - before) * r0 / (r0 + r1)
            following = following + phi_2 * slope - phi_3 * (first - before) / (r0 + r1)
        unit = torch.stack([torch.randn(3, generator=draw, dtype=x.dtype) for draw in draws])
        x = following + unit * t * math.sqrt(-math.expm1(-2 * h * eta)) * 1.01
        past, steps = [clean, *past][:2], [h, *steps][:2]
    torch.testing.assert_close(result, x, rtol=1e-10, atol=1e-10)


def nonlinear(x: Tensor, sigma: float) -> Tensor:
    return torch.tanh(x / math.sqrt(1 + sigma**2)) + 0.1 * math.log1p(sigma)


@pytest.mark.parametrize("eta", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("order", [1, 2])
def test_two_steps_add_the_noise_of_one(eta: float, order: int) -> None:
    """With a D that does not move the solver is exact: however it is cut, the path is one and the same."""
    solver = DPMSDE(noise="brownian", order=order, eta=eta)
    x = start(2, 5)

    def still(y: Tensor, sigma: float) -> Tensor:
        return torch.full_like(y, 0.2)

    whole = solver.solve(still, x, torch.tensor([80.0, 0.5], dtype=torch.float64), generator=generators(1, 2))
    for levels in ([80.0, 3.0, 0.5], [80.0, 31.4, 7.0, 0.6, 0.51, 0.5]):
        cut = solver.solve(still, x, torch.tensor(levels, dtype=torch.float64), generator=generators(1, 2))
        torch.testing.assert_close(cut, whole, rtol=1e-9, atol=1e-9)
    noise = whole - 0.2 - (x - 0.2) * (0.5 / 80) ** (1 + eta)
    path = BrownianPath(generators(1, 2), eta)
    torch.testing.assert_close(noise, path.unit(x, 80.0, 0.5) * 0.5 * math.sqrt(1 - (0.5 / 80) ** (2 * eta)))


def test_for_eta_1_ancestral_steps_are_those_of_the_sde() -> None:
    sigmas = Karras().sigmas(10, 0.002, 80.0)
    first = EulerAncestral(noise="brownian").solve(nonlinear, start(2, 3), sigmas, generator=generators(1, 2))
    other = DPMSDE(noise="brownian", order=1).solve(nonlinear, start(2, 3), sigmas, generator=generators(1, 2))
    torch.testing.assert_close(first, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "solver",
    [
        *(DPMSDE(noise="brownian", order=order, eta=eta) for order in (1, 2, 3) for eta in (0.5, 1.0)),
        EulerAncestral(noise="brownian"),
        EulerAncestral(noise="brownian", eta=0.5),
    ],
    ids=label,
)
def test_a_finer_schedule_converges_to_the_same_path(solver: StepSolver) -> None:
    """Strong order 1, which is what frozen predictions reach when the noise is additive."""
    x = 3 * start(64) / 80
    ends = {
        steps: solver.solve(
            gaussian,
            x,
            torch.logspace(math.log10(3), math.log10(0.05), steps + 1, dtype=torch.float64),
            generator=torch.Generator().manual_seed(7),
        )
        for steps in (32, 64, 128, 1024)
    }
    errors = [(ends[steps] - ends[1024]).square().mean().sqrt().item() for steps in (32, 64, 128)]
    assert errors[2] < 0.03
    # The reference's own share of the error makes the order read a little high.
    assert math.log2(errors[0] / errors[2]) / 2 == pytest.approx(1.1, abs=0.25)


def test_fresh_noise_does_not_converge() -> None:
    """Without a path two schedules share nothing."""
    x = 3 * start(64) / 80
    solver = DPMSDE()
    fine, finer = (
        solver.solve(gaussian, x, Karras().sigmas(steps, 0.05, 3.0), generator=torch.Generator().manual_seed(7))
        for steps in (256, 512)
    )
    assert (fine - finer).std() > 0.3


@pytest.mark.parametrize("solver", [DPMSDE(s_noise=0.0), EulerAncestral(s_noise=0.0)], ids=label)
def test_noise_of_no_size_is_not_drawn(solver: StepSolver) -> None:
    given = generators(1)
    state = given[0].get_state(), torch.get_rng_state()
    solver.solve(gaussian, start(1, 3), Karras().sigmas(6, 0.002, 80.0), generator=given)
    assert torch.equal(given[0].get_state(), state[0])
    assert torch.equal(torch.get_rng_state(), state[1])
