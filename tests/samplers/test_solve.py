"""What every solver's `solve` promises, whatever its formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genaudio.core.errors import GenaudioError
from genaudio.samplers.auto import Auto
from genaudio.samplers.base import Solver, StepSolver
from genaudio.samplers.ddim import DDIM
from genaudio.samplers.deis import DEIS
from genaudio.samplers.dpm import DPM
from genaudio.samplers.dpm_sde import DPMSDE
from genaudio.samplers.euler import Euler
from genaudio.samplers.euler_ancestral import EulerAncestral
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.lms import LMS
from genaudio.samplers.runge_kutta import RungeKutta
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.unipc import UniPC

SOLVERS: list[Solver] = [
    Euler(),
    Heun(),
    *(DPM(order=order, variant=variant) for order in (1, 2, 3) for variant in ("multistep", "singlestep")),
    DPM(order=3, published=True),
    *(
        DPM(order=order, variant=variant, prediction="noise")
        for order in (2, 3)
        for variant in ("multistep", "singlestep")
    ),
    *(DPMSDE(eta=0.0, order=order) for order in (1, 2, 3)),
    EulerAncestral(eta=0.0),
    *(LMS(order=order, warmup=warmup) for order in (1, 2, 3, 4) for warmup in ("ramp", "singlestep")),
    *(RungeKutta(order=order, variable=variable) for order in (3, 4) for variable in ("angle", "sigma", "log_sigma")),
    *(
        ExponentialIntegrator(order=order, prediction=prediction, warmup=warmup)
        for order in (1, 2, 3, 4)
        for prediction in ("data", "noise", "velocity")
        for warmup in ("ramp", "singlestep")
    ),
    ExponentialIntegrator(finish="euler"),
    *(
        ExponentialIntegrator(order=order, prediction=prediction, warmup=warmup, corrector=True)
        for order in (2, 3, 4, 5)
        for prediction in ("data", "noise", "velocity")
        for warmup in ("ramp", "singlestep")
    ),
    *(ExponentialIntegrator(order=3, basis=basis, corrector=True) for basis in ("sigma", "rho", "angle", "vp")),
    ExponentialIntegrator(order=4, lower_last=True),
    DDIM(),
    *(DEIS(variant=variant) for variant in ("t_ab", "rho_ab", "log_rho_ab")),
    *(UniPC(predictor_order=order, variant=variant) for order in (1, 2, 3) for variant in ("bh1", "bh2")),
    UniPC(predictor_order=3, prediction="noise", corrector=False),
    Auto(),
]


def label(solver: Solver) -> str:
    return "-".join([type(solver).__name__, *(str(value) for value in solver.model_dump().values())])


every_solver = pytest.mark.parametrize("solver", SOLVERS, ids=label)


def denoise(x: Tensor, sigma: float) -> Tensor:
    return torch.tanh(3 * x / (1 + sigma**2)) / 2


def start(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return (80 * torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(dtype)


@every_solver
def test_declared_evaluations_are_the_calls(solver: Solver) -> None:
    for num_steps in (1, 2, 3, 4, 5, 31, 32, 40):
        calls = []

        def counting(x: Tensor, sigma: float, calls: list[float] = calls) -> Tensor:
            assert type(sigma) is float
            calls.append(sigma)
            return denoise(x, sigma)

        solver.solve(counting, start(1), Karras().sigmas(num_steps, 0.002, 80.0))
        assert len(calls) == solver.evaluations(num_steps)
        assert min(calls) > 0  # D is never asked for at sigma = 0


@every_solver
def test_a_budget_is_kept_and_used(solver: Solver) -> None:
    for nfe in (1, 5, 8, 31, 32, 33, 34, 50):
        steps = solver.num_steps(nfe)
        assert solver.evaluations(steps) <= nfe < solver.evaluations(steps + 1)


@every_solver
def test_items_do_not_depend_on_their_neighbours_and_inputs_stay(solver: Solver) -> None:
    x = start(3, 2, 5, dtype=torch.float32)
    sigmas = Karras().sigmas(9, 0.002, 80.0)
    before = x.clone(), sigmas.clone()
    together = solver.solve(denoise, x, sigmas)
    assert torch.equal(x, before[0])
    assert torch.equal(sigmas, before[1])
    alone = torch.cat([solver.solve(denoise, item[None], sigmas) for item in x])
    assert torch.equal(together, alone)


@every_solver
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_dtype_and_finiteness_from_1_step_to_50(solver: Solver, dtype: torch.dtype) -> None:
    x = start(2, 3, dtype=dtype)
    exact = solver.solve(denoise, x.double(), Karras().sigmas(50, 0.002, 80.0))

    def checked(y: Tensor, sigma: float) -> Tensor:
        assert y.dtype == dtype
        return denoise(y, sigma)

    for num_steps in (1, 2, 3, 4, 7, 20, 50):
        result = solver.solve(checked, x, Karras().sigmas(num_steps, 0.002, 80.0))
        assert result.dtype == dtype
        assert result.shape == x.shape
        assert result.isfinite().all()
    tolerance = {torch.float64: 0.0, torch.float32: 1e-3}.get(dtype, 0.1)
    assert (result.double() - exact).abs().max() <= tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "solver",
    [
        Heun(),
        DPM(order=3),
        DPM(order=3, variant="singlestep"),
        DPM(order=3, variant="singlestep", prediction="noise"),
        DPMSDE(eta=0.0, order=3),
        LMS(order=4),
        *(RungeKutta(order=4, variable=variable) for variable in ("angle", "sigma", "log_sigma")),
        *(ExponentialIntegrator(order=4, prediction=prediction) for prediction in ("data", "noise", "velocity")),
    ],
    ids=label,
)
def test_two_thousand_steps_add_no_rounding_of_note(solver: Solver, dtype: torch.dtype) -> None:
    """A fine grid is where coefficients lose digits and small updates drown; the Gaussian's end is known."""
    x = start(4, dtype=dtype)
    result = solver.solve(lambda y, sigma: y / (1 + sigma**2), x, Karras().sigmas(2000, 0.002, 80.0))
    tolerance = {torch.float64: 1e-5, torch.float32: 5e-5}.get(dtype, 2e-2)
    torch.testing.assert_close(result.double(), x.double() / math.hypot(1, 80), rtol=0, atol=tolerance)


@pytest.mark.parametrize("solver", [solver for solver in SOLVERS if solver.order > 1], ids=label)
def test_in_float32_the_error_falls_to_a_floor_of_rounding(solver: Solver) -> None:
    """Down to some 1e-6, which a thousand roundings of values near 1 leave: no coefficient loses digits."""
    x = start(64, dtype=torch.float32) / 10
    exact = x.double() * math.hypot(1, 0.05) / math.hypot(1, 8)
    errors = []
    for steps in (10, 100, 1000):
        sigmas = Karras().sigmas(steps + 1, 0.05, 8.0)[:-1]
        result = solver.solve(lambda y, sigma: y / (1 + sigma**2), x, sigmas)
        errors.append((result.double() - exact).square().mean().sqrt().item())
    assert errors[1] < max(errors[0] / 3, 4e-6)
    assert errors[2] < (4e-6 if solver.order > 2 else max(errors[1] / 40, 4e-6))


@every_solver
def test_a_schedule_may_end_anywhere_and_have_any_dtype_or_shape_of_x(solver: Solver) -> None:
    for sigmas in (torch.tensor([80.0, 0.5]), torch.tensor([5, 3, 1, 0]), torch.logspace(1, -3, 6).bfloat16()):
        assert solver.solve(denoise, start(2), sigmas).isfinite().all()


# Velocity is exact for Gaussian data of deviation sigma_data instead, as is the angle (test_formulas.py); and by
# ln(sigma) the line is an exponential, which a Runge-Kutta method only approximates.
POINTS = [
    solver
    for solver in SOLVERS
    if getattr(solver, "prediction", None) != "velocity"
    and getattr(solver, "variable", "sigma") == "sigma"
    and not isinstance(solver, Auto)
]


@pytest.mark.parametrize("solver", POINTS, ids=label)
def test_a_constant_denoiser_is_reached_whatever_the_steps(solver: Solver) -> None:
    """With D = c the trajectory is a line: every solver is exact at every step."""
    x = start(4)
    sigmas = torch.tensor([80.0, 20.0, 3.0, 2.5, 0.1, 0.02], dtype=torch.float64)
    result = solver.solve(lambda y, sigma: torch.full_like(y, 0.3), x, sigmas)
    torch.testing.assert_close(result, 0.3 + (x - 0.3) * 0.02 / 80, rtol=0, atol=1e-10)
    to_zero = torch.cat([sigmas, sigmas.new_zeros(1)])
    result = solver.solve(lambda y, sigma: torch.full_like(y, 0.3), x, to_zero)
    torch.testing.assert_close(result, torch.full_like(x, 0.3), rtol=0, atol=1e-12)


@every_solver
def test_nothing_is_drawn(solver: Solver) -> None:
    generator = torch.Generator().manual_seed(3)
    states = torch.get_rng_state(), generator.get_state()
    solver.solve(denoise, start(2), Karras().sigmas(5, 0.002, 80.0), generator=generator)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(generator.get_state(), states[1])


@every_solver
def test_forward_and_back_again_is_the_identity(solver: Solver) -> None:
    """To the noise that a clip comes from, and back: off by the method's error alone."""
    x = start(6) / 100
    sigmas = torch.logspace(1, -1, 161, dtype=torch.float64)

    def smooth(y: Tensor, sigma: float) -> Tensor:
        return torch.tanh(y / math.sqrt(1 + sigma**2)) / math.sqrt(1 + sigma**2)

    noise = solver.solve(smooth, x, sigmas.flip(0))
    assert (noise - x).abs().max() > 3  # it does go somewhere
    back = solver.solve(smooth, noise, sigmas)
    # The order of the start or of the end, if that is less: `Auto` of 160 steps keeps it.
    lower = getattr(solver, "warmup", None) == "ramp" or getattr(solver, "lower_last", False)
    order = min(2 if lower else 4, solver.order)
    assert (back - x).abs().max() < {1: 0.1, 2: 3e-3, 3: 3e-4, 4: 3e-5}[order]


@every_solver
def test_progress_is_reported(solver: Solver) -> None:
    seen = []
    solver.solve(
        denoise, start(1), Karras().sigmas(4, 0.1, 2.0), callback=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@every_solver
def test_gradients_flow_through_a_trajectory(solver: Solver) -> None:
    x = start(2).requires_grad_()
    sigmas = Karras().sigmas(4, 0.1, 3.0)
    assert torch.autograd.gradcheck(lambda y: solver.solve(denoise, y, sigmas), (x,), eps=1e-5, atol=1e-5)


@pytest.mark.parametrize("solver", [solver for solver in SOLVERS if isinstance(solver, StepSolver)], ids=label)
def test_steps_are_pure(solver: StepSolver) -> None:
    """`init` and `step` by hand are `solve`, and an earlier state can be stepped again."""
    x = start(3)
    sigmas = Karras().sigmas(6, 0.1, 80.0)
    plan = solver.plan(sigmas.tolist())
    y, state = x, solver.init(x)
    for coefficients in plan:
        following, next_state = solver.step(denoise, y, state, coefficients)
        again, _ = solver.step(denoise, y, state, coefficients)
        assert torch.equal(following, again)
        y, state = following, next_state
    assert torch.equal(y, solver.solve(denoise, x, sigmas))


def test_the_past_is_dropped_when_no_step_needs_it() -> None:
    """A multistep solver of order k holds k - 1 predictions between steps, and one D more for the step to 0."""
    solver = ExponentialIntegrator(order=3, prediction="noise")
    x, state = start(2), {}
    held = []
    for coefficients in solver.plan(Karras().sigmas(64, 0.002, 80.0).tolist()):
        x, state = solver.step(denoise, x, state, coefficients)
        held.append(len(state))
    assert max(held) == 3
    assert held[20] == 2
    assert held[-1] == 0


def test_the_result_is_never_the_input_itself() -> None:
    x = start(2)
    result = Euler().solve(lambda y, sigma: y, x, torch.tensor([1.0, 0.5]))
    assert result.data_ptr() != x.data_ptr()


BAD_SIGMAS = {
    "one level": (torch.tensor([1.0]), r"(?s)shape \(1,\).*at least one step"),
    "a scalar": (torch.tensor(1.0), r"(?s)shape \(\)"),
    "a matrix": (torch.ones(2, 2), r"(?s)shape \(2, 2\).*\(num_steps \+ 1,\)"),
    "ascending": (torch.tensor([0.0, 1.0]), r"(?s)sigmas rises from 0.*first level above 0"),
    "up and down": (torch.tensor([3.0, 1.0, 2.0]), r"(?s)sigmas\[1\] is 1 and sigmas\[2\] is 2.*lower.*descending"),
    "repeated": (torch.tensor([2.0, 1.0, 1.0, 0.0]), r"(?s)sigmas\[1\] is 1 and sigmas\[2\] is 1.*lower than"),
    "nan": (torch.tensor([2.0, math.nan, 0.0]), r"(?s)sigmas\[1\] is nan.*finite"),
    "infinite": (torch.tensor([math.inf, 1.0]), r"sigmas\[0\] is inf"),
    "negative": (torch.tensor([1.0, -0.5]), r"(?s)sigmas\[1\] is -0.5.*none below 0"),
    "complex": (torch.tensor([1j, 0]), r"complex"),
    "a list": ([1.0, 0.0], r"(?s)sigmas is a list.*tensor"),
}


@pytest.mark.parametrize("name", BAD_SIGMAS)
@pytest.mark.parametrize("solver", [Euler(), ExponentialIntegrator()], ids=label)
def test_what_is_no_schedule_is_refused(solver: Solver, name: str) -> None:
    sigmas, text = BAD_SIGMAS[name]
    with pytest.raises(GenaudioError, match=text):
        solver.solve(denoise, start(2), sigmas)


def test_other_mistakes_are_named() -> None:
    sigmas = torch.tensor([1.0, 0.0])
    with pytest.raises(GenaudioError, match=r"(?s)returned \(2, 1\) for x of \(2,\).*shape of x"):
        Euler().solve(lambda x, sigma: x[:, None], start(2), sigmas)
    with pytest.raises(GenaudioError, match=r"(?s)x is torch.int64 \(2,\).*float tensor"):
        Euler().solve(denoise, torch.tensor([1, 2]), sigmas)


@every_solver
def test_nothing_waits_for_the_device(solver: Solver) -> None:
    """A tensor without data cannot be read: whoever did would stop here, as it would make a GPU's queue run dry."""
    x = torch.empty(2, 3, device="meta")
    result = solver.solve(lambda y, sigma: y * 0.5, x, Karras().sigmas(40, 0.002, 80.0))
    assert (result.device.type, result.shape) == ("meta", (2, 3))


class _Counting(TorchDispatchMode):
    """Counts the operations that write a tensor of the shape of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.count = shape, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = function(*args, **(kwargs or {}))
        views = ("aten.detach", "aten.alias", "aten.view")
        if isinstance(result, Tensor) and tuple(result.shape) == self.shape and not str(function).startswith(views):
            self.count += 1
        return result


# The least number of operations on whole tensors that a step of each formula takes: forming a prediction from x and D
# is one (none for D itself), each weight one, and so is a decay of x that no interpolation absorbs.
LEAST: dict[str, tuple[StepSolver, int]] = {
    "euler": (Euler(), 1),
    "heun": (Heun(), 3),
    "dpm 2M": (DPM(), 2),
    "dpm 3M": (DPM(order=3), 3),
    "unipc 3": (UniPC(predictor_order=3), 4 + 3),
    "lms 4": (LMS(order=4), 1 + 4),
    "deis 3": (DEIS(order=3), 1 + 3),
    "default 2": (ExponentialIntegrator(order=2, prediction="velocity"), 1 + 3),
    "default 3 corrected": (ExponentialIntegrator(order=3, prediction="velocity", corrector=True), 1 + 3 + 4),
    "default 5 corrected": (ExponentialIntegrator(order=5, prediction="velocity", corrector=True), 1 + 5 + 6),
}


@pytest.mark.parametrize("name", LEAST)
def test_a_step_costs_at_most_one_operation_more_than_its_formula(name: str) -> None:
    solver, least = LEAST[name]
    x = start(4, 2, 8, 8)
    clean = torch.zeros_like(x)
    plan = solver.plan(Karras().sigmas(20, 0.002, 80.0)[:-1].tolist())
    state = solver.init(x)
    for index, coefficients in enumerate(plan):
        with _Counting(tuple(x.shape)) as counting:
            x, state = solver.step(lambda y, sigma: clean, x, state, coefficients)
        if index == 12:  # well past the start
            assert counting.count <= least + 1


@pytest.mark.parametrize("device", ["cuda"])
def test_a_device_is_kept(device: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    x = start(2, 3, dtype=torch.float32)
    sigmas = Karras().sigmas(20, 0.002, 80.0)
    for solver in SOLVERS:
        result = solver.solve(denoise, x.to(device), sigmas)
        assert result.device.type == device
        torch.testing.assert_close(result.cpu(), solver.solve(denoise, x, sigmas), rtol=1e-3, atol=1e-3)


def test_a_solver_may_write_solve_itself() -> None:
    class Jump(Solver):
        """From the first level to the last in one evaluation, whatever lies between."""

        order: int = 1

        def evaluations(self, num_steps: int) -> int:
            return 1

        def solve(self, denoiser, x, sigmas, *, generator=None, callback=None):  # type: ignore[no-untyped-def]
            return torch.lerp(denoiser(x, float(sigmas[0])), x, float(sigmas[-1] / sigmas[0]))

    x = torch.randn(2, 3)
    assert torch.equal(Jump().solve(lambda y, sigma: y / 2, x, torch.tensor([2.0, 1.0, 0.0])), x / 2)
    assert Jump().num_steps(10) == 10
