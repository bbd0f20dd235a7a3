"""Every preset beside an independent spelling of the published formula it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from genaudio.samplers.base import Solver
from genaudio.samplers.ddim import DDIM
from genaudio.samplers.dpm import DPM
from genaudio.samplers.dpm_sde import DPMSDE
from genaudio.samplers.euler import Euler
from genaudio.samplers.euler_ancestral import EulerAncestral
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.lms import LMS
from genaudio.samplers.runge_kutta import RungeKutta
from genaudio.samplers.schedules.karras import Karras

EXACT = {"rtol": 1e-11, "atol": 1e-11}


def denoise(x: Tensor, sigma: float) -> Tensor:
    """Nothing linear, so that no formula passes by luck."""
    return torch.tanh(x / math.sqrt(1 + sigma**2)) + 0.1 * math.log1p(sigma)


@pytest.fixture
def x() -> Tensor:
    return 80 * torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def sigmas() -> Tensor:
    return Karras().sigmas(13, 0.002, 80.0)[:-1]


def ddim(x: Tensor, sigmas: list[float]) -> Tensor:
    """DDIM in the signal-and-noise form, alpha_bar = 1 / (1 + sigma^2) (Song et al. 2021, Eq. 12, eta = 0)."""
    for start, end in pairwise(sigmas):
        bar, bar_next = 1 / (1 + start**2), 1 / (1 + end**2)
        z = x * math.sqrt(bar)
        clean = denoise(x, start)
        noise = (z - math.sqrt(bar) * clean) / math.sqrt(1 - bar)
        z = math.sqrt(bar_next) * clean + math.sqrt(1 - bar_next) * noise
        x = z / math.sqrt(bar_next)
    return x


def dpm_2m(x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver++(2M), Algorithm 2 of the paper with alpha = 1."""
    lam = [-math.log(sigma) for sigma in sigmas]
    old = None
    for i in range(len(sigmas) - 1):
        h = lam[i + 1] - lam[i]
        clean = denoise(x, sigmas[i])
        if old is None:
            mixed = clean
        else:
            r = (lam[i] - lam[i - 1]) / h
            mixed = (1 + 1 / (2 * r)) * clean - 1 / (2 * r) * old
        x = sigmas[i + 1] / sigmas[i] * x - math.expm1(-h) * mixed
        old = clean
    return x


def dpm_3m(x: Tensor, sigmas: list[float], second_difference: float) -> Tensor:
    """Multistep of order 3 by divided differences; the published code takes the second one once, the true one twice."""
    lam = [-math.log(sigma) for sigma in sigmas]
    past: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        h = lam[i + 1] - lam[i]
        clean = denoise(x, sigmas[i])
        phi_1 = math.expm1(-h)
        phi_2 = phi_1 / h + 1
        phi_3 = phi_2 / h - 0.5
        step = sigmas[i + 1] / sigmas[i] * x - phi_1 * clean
        if len(past) == 1:
            step = step - 0.5 * phi_1 * (clean - past[0]) * h / (lam[i] - lam[i - 1])
        elif len(past) >= 2:
            r0, r1 = (lam[i] - lam[i - 1]) / h, (lam[i - 1] - lam[i - 2]) / h
            first, before = (clean - past[0]) / r0, (past[0] - past[1]) / r1
            slope = first + r0 / (r0 + r1) * (first - before)
            curve = (first - before) / (r0 + r1)
            step = step + phi_2 * slope - second_difference * phi_3 * curve
        x, past = step, [clean, *past][:2]
    return x


def dpm_2s(x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver++(2S), Algorithm 1 with r = 1/2."""
    for start, end in pairwise(sigmas):
        h = math.log(start / end)
        middle = start * math.exp(-h / 2)
        u = middle / start * x - math.expm1(-h / 2) * denoise(x, start)
        x = end / start * x - math.expm1(-h) * denoise(u, middle)
    return x


def dpm_3s(x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver-3's stages on data prediction, r1 = 1/3 and r2 = 2/3."""
    for start, end in pairwise(sigmas):
        h = math.log(start / end)
        one, two = start * math.exp(-h / 3), start * math.exp(-2 * h / 3)
        clean = denoise(x, start)
        u = one / start * x - math.expm1(-h / 3) * clean
        first = denoise(u, one) - clean
        u = two / start * x - math.expm1(-2 * h / 3) * clean + 2 * (math.expm1(-2 * h / 3) / (2 * h / 3) + 1) * first
        second = denoise(u, two) - clean
        x = end / start * x - math.expm1(-h) * clean + 1.5 * (math.expm1(-h) / h + 1) * second
    return x


def heun(x: Tensor, sigmas: list[float]) -> Tensor:
    """Algorithm 1 of EDM, line by line."""
    for start, end in pairwise(sigmas):
        slope = (x - denoise(x, start)) / start
        following = x + (end - start) * slope
        if end != 0:
            slope_end = (following - denoise(following, end)) / end
            following = x + (end - start) * (slope / 2 + slope_end / 2)
        x = following
    return x


def dpm_solver_2(x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver-2, Algorithm 1 of arXiv 2206.00927 with alpha = 1."""
    for start, end in pairwise(sigmas):
        h = math.log(start / end)
        middle = math.exp((math.log(start) + math.log(end)) / 2)
        u = x - middle * math.expm1(h / 2) * noise(x, start)
        x = x - end * math.expm1(h) * noise(u, middle)
    return x


def dpm_solver_3(x: Tensor, sigmas: list[float]) -> Tensor:
    """DPM-Solver-3, Algorithm 2 of arXiv 2206.00927 with alpha = 1, r1 = 1/3 and r2 = 2/3."""
    r1, r2 = 1 / 3, 2 / 3
    for start, end in pairwise(sigmas):
        h = math.log(start / end)
        one, two = start * math.exp(-r1 * h), start * math.exp(-r2 * h)
        first = noise(x, start)
        u = x - one * math.expm1(r1 * h) * first
        difference = noise(u, one) - first
        u = x - two * math.expm1(r2 * h) * first - two * r2 / r1 * (math.expm1(r2 * h) / (r2 * h) - 1) * difference
        difference = noise(u, two) - first
        x = x - end * math.expm1(h) * first - end / r2 * (math.expm1(h) / h - 1) * difference
    return x


def dpm_solver_multistep(x: Tensor, sigmas: list[float], order: int) -> Tensor:
    """The authors' multistep formulas on noise prediction, by divided differences, the second one taken once."""
    lam = [-math.log(sigma) for sigma in sigmas]
    past: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        h = lam[i + 1] - lam[i]
        now = noise(x, sigmas[i])
        phi_1 = math.expm1(h)
        phi_2 = phi_1 / h - 1
        phi_3 = phi_2 / h - 0.5
        change = phi_1 * now
        if past and (order == 2 or len(past) == 1):
            change = change + 0.5 * phi_1 * (now - past[0]) * h / (lam[i] - lam[i - 1])
        elif len(past) == 2:
            r0, r1 = (lam[i] - lam[i - 1]) / h, (lam[i - 1] - lam[i - 2]) / h
            first, before = (now - past[0]) / r0, (past[0] - past[1]) / r1
            slope = first + r0 / (r0 + r1) * (first - before)
            change = change + phi_2 * slope + phi_3 * (first - before) / (r0 + r1)
        x, past = x - sigmas[i + 1] * change, [now, *past][:2]
    return x


def noise(x: Tensor, sigma: float) -> Tensor:
    return (x - denoise(x, sigma)) / sigma


def adams_bashforth(x: Tensor, sigmas: list[float], order: int) -> Tensor:
    """The polynomial in sigma that numpy fits through the last slopes, and its antiderivative."""
    past: list[tuple[float, Tensor]] = []
    for start, end in pairwise(sigmas):
        past = [(start, noise(x, start)), *past][:order]
        # Near `start` and in steps as units: conditioned well enough for a fit through all points.
        nodes = [(node - start) / (end - start) for node, _ in past]
        weights = []
        for j in range(len(past)):
            values = [float(i == j) for i in range(len(past))]
            fit = np.polynomial.Polynomial(np.linalg.solve(np.vander(nodes, increasing=True), values))
            weights.append(fit.integ()(1.0) * (end - start))
        x = x + sum(weight * slope for weight, (_, slope) in zip(weights, past, strict=True))
    return x


def textbook_runge_kutta(x: Tensor, sigmas: list[float], order: int, variable: str, data: float) -> Tensor:
    """y' = f(u, y), with u and y as `variable` says."""

    def to_time(sigma: float) -> float:
        return {"sigma": sigma, "log_sigma": math.log(sigma), "angle": math.atan(sigma / data)}[variable]

    def to_sigma(u: float) -> float:
        return {"sigma": lambda: u, "log_sigma": lambda: math.exp(u), "angle": lambda: data * math.tan(u)}[variable]()

    def scale(u: float) -> float:
        return math.hypot(to_sigma(u), data) if variable == "angle" else 1.0

    def f(u: float, y: Tensor) -> Tensor:
        sigma = to_sigma(u)
        slope = noise(scale(u) * y, sigma)  # dx / dsigma
        if variable == "sigma":
            return slope
        if variable == "log_sigma":
            return sigma * slope
        rho = math.hypot(sigma, data)
        return (slope / rho - y * sigma / rho**2) * rho**2 / data  # d(x / rho) / dsigma, then dsigma / du

    for start, end in pairwise(sigmas):
        u, h = to_time(start), to_time(end) - to_time(start)
        y = x / scale(u)
        k1 = f(u, y)
        k2 = f(u + h / 2, y + h / 2 * k1)
        if order == 3:
            k3 = f(u + h, y - h * k1 + 2 * h * k2)
            y = y + h / 6 * (k1 + 4 * k2 + k3)
        else:
            k3 = f(u + h / 2, y + h / 2 * k2)
            k4 = f(u + h, y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        x = y * scale(u + h)
    return x


CASES: dict[str, tuple[Solver, Callable[[Tensor, list[float]], Tensor]]] = {
    "euler": (Euler(), ddim),
    "ei data 1": (ExponentialIntegrator(order=1, prediction="data"), ddim),
    "ei noise 1": (ExponentialIntegrator(order=1, prediction="noise"), ddim),
    "dpm 1": (DPM(order=1), ddim),
    "dpm 1S": (DPM(order=1, variant="singlestep"), ddim),
    "heun": (Heun(), heun),
    "dpm 2M": (DPM(order=2), dpm_2m),
    "dpm 2S": (DPM(order=2, variant="singlestep"), dpm_2s),
    "dpm 3S": (DPM(order=3, variant="singlestep"), dpm_3s),
    "dpm noise 2S": (DPM(order=2, variant="singlestep", prediction="noise"), dpm_solver_2),
    "dpm noise 3S": (DPM(order=3, variant="singlestep", prediction="noise"), dpm_solver_3),
    "dpm noise 2M": (DPM(order=2, prediction="noise"), lambda x, sigmas: dpm_solver_multistep(x, sigmas, 2)),
    "dpm noise 3M published": (
        DPM(order=3, prediction="noise", published=True),
        lambda x, sigmas: dpm_solver_multistep(x, sigmas, 3),
    ),
    "dpm_sde eta 0": (DPMSDE(eta=0.0), dpm_2m),
    "dpm_sde eta 0, published": (DPMSDE(eta=0.0, order=3, published=True), lambda x, sigmas: dpm_3m(x, sigmas, 1.0)),
    "euler_ancestral eta 0": (EulerAncestral(eta=0.0), ddim),
    "dpm 3M published": (DPM(order=3, published=True), lambda x, sigmas: dpm_3m(x, sigmas, 1.0)),
    "ddim": (DDIM(), ddim),
}


@pytest.mark.parametrize("name", CASES)
def test_a_preset_is_its_published_formula(name: str, x: Tensor, sigmas: Tensor) -> None:
    solver, formula = CASES[name]
    torch.testing.assert_close(solver.solve(denoise, x, sigmas), formula(x, sigmas.tolist()), **EXACT)


def test_ancestral_steps_without_noise_are_eulers(x: Tensor, sigmas: Tensor) -> None:
    assert torch.equal(EulerAncestral(eta=0.0).solve(denoise, x, sigmas), Euler().solve(denoise, x, sigmas))


def test_the_last_step_to_zero_of_euler_and_heun(x: Tensor, sigmas: Tensor) -> None:
    to_zero = torch.cat([sigmas, sigmas.new_zeros(1)])
    torch.testing.assert_close(Heun(finish="euler").solve(denoise, x, to_zero), heun(x, to_zero.tolist()), **EXACT)
    torch.testing.assert_close(Euler().solve(denoise, x, to_zero), ddim(x, to_zero.tolist()), **EXACT)


def test_the_true_third_order_multistep_is_the_integrator_on_data(x: Tensor, sigmas: Tensor) -> None:
    for warmup in ("ramp", "singlestep"):
        ours = ExponentialIntegrator(order=3, prediction="data", warmup=warmup).solve(denoise, x, sigmas)
        torch.testing.assert_close(DPM(order=3, warmup=warmup).solve(denoise, x, sigmas), ours, **EXACT)


def test_the_true_third_order_formula_takes_the_second_difference_twice() -> None:
    """One step with two predictions of the past, by divided differences."""
    from genaudio.samplers.exponential import Family

    sigmas = [5.0, 2.0, 1.1, 0.4]
    lam = [-math.log(sigma) for sigma in sigmas]
    h = lam[3] - lam[2]
    phi_2 = math.expm1(-h) / h + 1
    phi_3 = phi_2 / h - 0.5
    r0, r1 = (lam[2] - lam[1]) / h, (lam[1] - lam[0]) / h

    def by_differences(newest: float, before: float, oldest: float) -> float:
        first, second = (newest - before) / r0, (before - oldest) / r1
        slope = first + r0 / (r0 + r1) * (first - second)
        return -math.expm1(-h) * newest + phi_2 * slope - 2 * phi_3 * (first - second) / (r0 + r1)

    decay, weights = Family("data").update(sigmas[2], sigmas[3], [sigmas[2], sigmas[1], sigmas[0]])
    assert decay == pytest.approx(sigmas[3] / sigmas[2])
    units = [by_differences(1, 0, 0), by_differences(0, 1, 0), by_differences(0, 0, 1)]
    assert weights == pytest.approx(units, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_linear_multistep_is_adams_bashforth(order: int, x: Tensor, sigmas: Tensor) -> None:
    ours = LMS(order=order, warmup="ramp").solve(denoise, x, sigmas)
    torch.testing.assert_close(ours, adams_bashforth(x, sigmas.tolist(), order), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("variable", ["angle", "sigma", "log_sigma"])
def test_runge_kutta_is_the_textbooks(order: int, variable: str, x: Tensor, sigmas: Tensor) -> None:
    ours = RungeKutta(order=order, variable=variable, sigma_data=0.7).solve(denoise, x, sigmas)
    torch.testing.assert_close(ours, textbook_runge_kutta(x, sigmas.tolist(), order, variable, 0.7), **EXACT)


def test_the_angle_is_exact_for_gaussian_data_of_deviation_sigma_data() -> None:
    x = torch.tensor([50.0, -3.0], dtype=torch.float64)
    solver = RungeKutta(sigma_data=0.6)
    result = solver.solve(lambda y, sigma: y * 0.36 / (0.36 + sigma**2), x, torch.tensor([80.0, 0.01]))
    torch.testing.assert_close(result, x * math.hypot(0.6, 0.01) / math.hypot(0.6, 80), rtol=1e-6, atol=0)


def test_runge_kutta_takes_the_datas_deviation_unless_it_is_set() -> None:
    assert RungeKutta().fitted(0.3, 20).sigma_data == 0.3
    assert RungeKutta(sigma_data=0.6).fitted(0.3, 20).sigma_data == 0.6


@pytest.mark.parametrize("order", [1, 2, 3])
def test_dpm_sde_without_noise_is_dpm(order: int, x: Tensor, sigmas: Tensor) -> None:
    to_zero = torch.cat([sigmas, sigmas.new_zeros(1)])
    for warmup in ("auto", "ramp", "singlestep"):
        ours = DPMSDE(eta=0.0, order=order, warmup=warmup).solve(denoise, x, to_zero)
        assert torch.equal(ours, DPM(order=order, warmup=warmup).solve(denoise, x, to_zero))


def test_second_order_on_data_and_2m_agree_within_their_order(x: Tensor) -> None:
    """They differ by h^3 a step: eight times less, at half the step, over one step."""
    gaps = []
    for ratio in (1.2, 1.1):
        sigmas = torch.tensor([ratio**2, ratio, 1.0], dtype=torch.float64)
        exact = ExponentialIntegrator(order=2, prediction="data").solve(denoise, x, sigmas)
        gaps.append((exact - DPM(order=2).solve(denoise, x, sigmas)).abs().max().item())
    assert math.log(gaps[0] / gaps[1]) / math.log(math.log(1.2) / math.log(1.1)) == pytest.approx(3, abs=0.3)


def test_velocity_is_exact_where_data_and_noise_are_both_gaussian() -> None:
    """A Gaussian of deviation sigma_data has no velocity at all: one step is the whole trajectory."""
    x = torch.tensor([50.0, -3.0], dtype=torch.float64)
    solver = ExponentialIntegrator(order=1, prediction="velocity", sigma_data=0.6)
    result = solver.solve(lambda y, sigma: y * 0.36 / (0.36 + sigma**2), x, torch.tensor([80.0, 0.01]))
    torch.testing.assert_close(result, x * math.hypot(0.6, 0.01) / math.hypot(0.6, 80), rtol=1e-6, atol=0)
