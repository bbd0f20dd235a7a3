"""Orders of convergence in float64: one Gaussian, in closed form; a mixture, against a Runge-Kutta reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from genaudio.samplers.base import Solver
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

STD, MEAN = 1.0, 0.3
RANGES = [(80.0, 0.002), (10.0, 0.01), (3.0, 0.05)]
ORDERS: dict[str, tuple[Solver, int]] = {
    "euler": (Euler(), 1),
    "euler_ancestral eta 0": (EulerAncestral(eta=0.0), 1),
    "heun": (Heun(), 2),
    "dpm 1": (DPM(order=1), 1),
    "dpm 2M": (DPM(order=2), 2),
    "dpm 3M": (DPM(order=3, warmup="singlestep"), 3),
    "dpm 2S": (DPM(variant="singlestep", order=2), 2),
    "dpm 3S": (DPM(variant="singlestep", order=3), 3),
    "dpm noise 2M": (DPM(order=2, prediction="noise"), 2),
    "dpm noise 3M": (DPM(order=3, prediction="noise", warmup="singlestep"), 3),
    "dpm noise 2S": (DPM(variant="singlestep", order=2, prediction="noise"), 2),
    "dpm noise 3S": (DPM(variant="singlestep", order=3, prediction="noise"), 3),
    "dpm_sde eta 0, 2M": (DPMSDE(eta=0.0, order=2), 2),
    "dpm_sde eta 0, 3M": (DPMSDE(eta=0.0, order=3, warmup="singlestep"), 3),
} | {
    f"ei {prediction} {order}": (
        ExponentialIntegrator(order=order, prediction=prediction, warmup="singlestep", sigma_data=0.7),
        order,
    )
    for prediction in ("data", "noise", "velocity")
    for order in (1, 2, 3, 4)
}
ORDERS |= {f"lms {order}": (LMS(order=order, warmup="singlestep"), order) for order in (1, 2, 3, 4)}
ORDERS |= {
    f"runge_kutta {variable} {order}": (RungeKutta(order=order, variable=variable, sigma_data=0.7), order)
    for variable in ("angle", "sigma", "log_sigma")
    for order in (3, 4)
}

ORDERS |= {
    f"ei {prediction} {basis} corrected {order}": (
        ExponentialIntegrator(
            order=order,
            prediction=prediction,
            basis=basis,
            corrector=True,
            warmup="singlestep",
            sigma_data=0.7,
            rho=3.0,
        ),
        order,
    )
    for prediction, basis, orders in (
        ("data", "log_sigma", (2, 3, 4, 5)),
        ("noise", "log_sigma", (2, 3, 4, 5)),
        ("velocity", "log_sigma", (2, 3, 4, 5)),
        ("velocity", "angle", (3, 4)),
        ("noise", "rho", (3, 4)),
        ("noise", "sigma", (3,)),
        ("data", "vp", (3,)),
    )
    for order in orders
}
ORDERS |= {"ddim": (DDIM(), 1)}
ORDERS |= {
    f"deis {variant} {order}": (DEIS(order=order, variant=variant, warmup="singlestep"), order)
    for variant in ("t_ab", "rho_ab", "log_rho_ab")
    for order in (2, 3)
}
ORDERS |= {
    f"unipc {prediction} {variant} {order}": (
        UniPC(predictor_order=order - 1, prediction=prediction, variant=variant, warmup="singlestep"),
        order,
    )
    for prediction in ("data", "noise")
    for variant in ("bh1", "bh2")
    for order in (2, 3, 4)
}
ORDERS |= {"unip 2": (UniPC(predictor_order=2, corrector=False, warmup="singlestep"), 2)}


def gaussian(x: Tensor, sigma: float) -> Tensor:
    return (x * STD**2 + MEAN * sigma**2) / (STD**2 + sigma**2)


def flow(x: Tensor, start: float, end: float) -> Tensor:
    """The exact trajectory of `gaussian`."""
    return MEAN + (x - MEAN) * math.sqrt((STD**2 + end**2) / (STD**2 + start**2))


MEANS = torch.tensor([-0.8, -0.2, 0.3, 0.7], dtype=torch.float64)
VARIANCES = torch.tensor([0.2, 0.15, 0.3, 0.25], dtype=torch.float64).square()


def mixture(x: Tensor, sigma: float) -> Tensor:
    variance = VARIANCES + sigma**2
    gap = x[..., None] - MEANS
    weight = (-(gap**2) / (2 * variance) - 0.5 * variance.log()).softmax(-1)
    return (weight * (MEANS + VARIANCES / variance * gap)).sum(-1)


def steps_for(name: str, high: float = 80.0) -> tuple[int, int]:
    """Enough steps for the order to show; more would only cost time."""
    # Those whose error on a Gaussian, 1e-8 or less, changes sign near 200 steps.
    if name == "dpm noise 3S":
        return 800, 1600
    if name in ("ei noise log_sigma corrected 4", "ei velocity log_sigma corrected 4") or (
        name.startswith("unipc noise") and name.endswith("4")
    ):
        return (1200, 2400) if high > 5 else (200, 400)  # from a lower level 1e-13, rounding, is met before
    return (64, 128) if ORDERS[name][1] < 3 else (200, 400)


def observed(solver: Solver, denoiser, x: Tensor, exact: Tensor, grids: list[Tensor]) -> float:
    errors = [(solver.solve(denoiser, x, grid) - exact).abs().max().item() for grid in grids]
    return math.log2(errors[0] / errors[1])


@pytest.mark.parametrize(("high", "low"), RANGES)
@pytest.mark.parametrize("name", ORDERS)
def test_order_on_a_gaussian_down_to_sigma_min(name: str, high: float, low: float) -> None:
    solver, order = ORDERS[name]
    x = high * torch.tensor([-1.3, 0.4, 2.0], dtype=torch.float64)
    grids = [Karras().sigmas(steps + 1, low, high)[:-1] for steps in steps_for(name, high)]
    assert observed(solver, gaussian, x, flow(x, high, low), grids) == pytest.approx(order, abs=0.2)
    assert solver.order == order


@pytest.mark.parametrize("name", [name for name in ORDERS if name[-1] not in "45" and "velocity" not in name])
def test_order_on_a_gaussian_down_to_zero(name: str) -> None:
    solver, order = ORDERS[name]
    x = 80 * torch.tensor([-1.3, 0.4, 2.0], dtype=torch.float64)
    grids = [Karras().sigmas(steps + 1, 0.0002, 80.0) for steps in steps_for(name)]
    assert observed(solver, gaussian, x, flow(x, 80.0, 0.0), grids) == pytest.approx(order, abs=0.2)


def test_extrapolation_takes_the_floor_of_the_last_step_away() -> None:
    """Euler's last step leaves about sigma_min^2, the extrapolated one sigma_min^4."""
    x = torch.tensor([7.0], dtype=torch.float64)
    sigmas = Karras().sigmas(500, 0.05, 10.0)
    for solver in (ExponentialIntegrator(order=4), ExponentialIntegrator(order=4, prediction="data"), DPM(order=3)):
        floor = [
            (solver.model_copy(update={"finish": finish}).solve(gaussian, x, sigmas) - flow(x, 10.0, 0.0)).abs().item()
            for finish in ("euler", "extrapolate")
        ]
        assert floor[0] == pytest.approx(0.05**2 / 2 * flow(x, 10.0, 0.0).sub(MEAN).item(), rel=0.02)
        assert floor[1] < 20 * 0.05**4


@pytest.fixture(scope="module")
def reference() -> tuple[Tensor, Tensor]:
    """Starts at sigma 3 and where an adaptive Runge-Kutta method of order 8 takes them at sigma 0.05."""
    x = 3 * torch.linspace(-1.5, 1.5, 8, dtype=torch.float64)

    def slope(log_sigma: float, y: np.ndarray) -> np.ndarray:
        point = torch.from_numpy(y)
        return (point - mixture(point, math.exp(log_sigma))).numpy()

    run = solve_ivp(slope, (math.log(3), math.log(0.05)), x.numpy(), method="DOP853", rtol=1e-13, atol=1e-14)
    return x, torch.from_numpy(run.y[:, -1])


@pytest.mark.parametrize("name", ORDERS)
def test_order_on_a_mixture_with_levels_uniform_in_log_sigma(name: str, reference: tuple[Tensor, Tensor]) -> None:
    solver, order = ORDERS[name]
    x, exact = reference
    numbers = (240, 480) if order == 5 else (120, 240)  # order 5 is still 5.2 at the coarser
    grids = [torch.logspace(math.log10(3), math.log10(0.05), steps + 1, dtype=torch.float64) for steps in numbers]
    assert observed(solver, mixture, x, exact, grids) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("name", ORDERS)
def test_order_on_a_mixture_with_uneven_levels(name: str, reference: tuple[Tensor, Tensor]) -> None:
    """Steps whose lengths in ln(sigma) differ by a factor of 6 along the way."""
    solver, order = ORDERS[name]
    x, exact = reference
    grids = []
    for steps in (160, 320):
        share = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        warped = share + 0.7 * torch.sin(2 * math.pi * share) / (2 * math.pi)
        grids.append(3 * (0.05 / 3) ** warped)
    assert observed(solver, mixture, x, exact, grids) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("name", ORDERS)
def test_order_backwards(name: str, reference: tuple[Tensor, Tensor]) -> None:
    """From the clip to its noise."""
    solver, order = ORDERS[name]
    exact, x = reference
    grids = [torch.logspace(math.log10(0.05), math.log10(3), steps + 1, dtype=torch.float64) for steps in (120, 240)]
    assert observed(solver, mixture, x, exact, grids) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("prediction", ["data", "noise"])
def test_the_published_third_order_formula_is_of_order_two(prediction: str) -> None:
    x = torch.tensor([100.0], dtype=torch.float64)
    grids = [Karras().sigmas(steps + 1, 0.002, 80.0)[:-1] for steps in (400, 800)]
    published = DPM(order=3, published=True, prediction=prediction)
    assert observed(published, gaussian, x, flow(x, 80.0, 0.002), grids) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("prediction", ["data", "noise"])
@pytest.mark.parametrize("order", [3, 4])
def test_a_ramped_start_loses_the_order(prediction: str, order: int) -> None:
    """The first step of order 1 leaves an error of h^2, which is why the warm-up exists."""
    x = torch.tensor([4.0], dtype=torch.float64)
    grids = [Karras().sigmas(steps + 1, 0.05, 3.0)[:-1] for steps in (400, 800)]
    ramped = ExponentialIntegrator(order=order, prediction=prediction, warmup="ramp")
    assert observed(ramped, gaussian, x, flow(x, 3.0, 0.05), grids) < 2.5
