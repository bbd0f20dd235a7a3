"""What a solver adds to the denoiser's own time: a step on (4, 2, 256, 256) beside the same formula by hand.

Run: `pytest benchmarks/solvers --benchmark-enable --benchmark-group-by=group`. Each group pairs a solver with a minimal
loop, its coefficients worked out beforehand, and with the same method of k-diffusion and diffusers where they are
installed. Solvers and schedulers plan within their time; diffusers' are made once. The denoiser costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import peers_diffusers
import peers_k_diffusion
import pytest
import torch
from torch import Tensor

from genaudio.samplers.auto import Auto
from genaudio.samplers.base import Solver
from genaudio.samplers.dpm import DPM
from genaudio.samplers.dpm_sde import DPMSDE
from genaudio.samplers.euler import Euler
from genaudio.samplers.euler_ancestral import EulerAncestral
from genaudio.samplers.exponential import Family
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.lms import LMS
from genaudio.samplers.runge_kutta import RungeKutta
from genaudio.samplers.schedules.karras import Karras

STEPS = 20
SHAPE = (4, 2, 256, 256)
LEVELS: list[float] = Karras().sigmas(STEPS + 1, 0.002, 80.0)[:-1].tolist()
CLEAN = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def denoise(x: Tensor, sigma: float) -> Tensor:
    return CLEAN


def euler_by_hand(x: Tensor) -> Tensor:
    for start, end in pairwise(LEVELS):
        x = torch.lerp(denoise(x, start), x, end / start)
    return x


def heun_by_hand(x: Tensor) -> Tensor:
    for start, end in pairwise(LEVELS):
        euler = torch.lerp(denoise(x, start), x, end / start)
        second = torch.lerp(denoise(euler, end), euler, 2 - start / end)
        x = torch.lerp(second, x, 0.5)
    return x


def coefficients_2m() -> list[tuple[float, float, float]]:
    found = []
    before = LEVELS[0]
    for start, end in pairwise(LEVELS):
        h = math.log(start / end)
        c = h / (2 * math.log(before / start)) if before > start else 0.0
        found.append((start, c, -math.expm1(-h)))
        before = start
    return found


TWO_M = coefficients_2m()


def two_m_by_hand(x: Tensor) -> Tensor:
    old = CLEAN
    for start, c, weight in TWO_M:
        clean = denoise(x, start)
        x = torch.lerp(x, torch.lerp(clean, old, -c), weight)
        old = clean
    return x


NOISE_3 = [
    (start, Family("noise").update(start, end, LEVELS[max(0, i - 2) : i + 1][::-1])[1])
    for i, (start, end) in enumerate(pairwise(LEVELS))
]


def noise_3_by_hand(x: Tensor) -> Tensor:
    past: list[Tensor] = []
    for start, weights in NOISE_3:
        past = [x - denoise(x, start), *past[:2]]
        x = torch.add(x, past[0], alpha=weights[0])
        for noise, weight in zip(past[1:], weights[1:], strict=True):
            x.add_(noise, alpha=weight)
    return x


def lms_2_by_hand(x: Tensor) -> Tensor:
    before, old = LEVELS[0], CLEAN
    for start, end in pairwise(LEVELS):
        slope = x - denoise(x, start)
        step = end - start
        share = step / (2 * (start - before)) if start < before else 0.0
        following = torch.add(x, slope, alpha=step * (1 + share) / start)
        x = following.add_(old, alpha=-step * share / before) if share else following
        before, old = start, slope
    return x


def runge_kutta_4_by_hand(x: Tensor) -> Tensor:
    for start, end in pairwise(LEVELS):
        h, middle = end - start, (start + end) / 2
        k1 = x - denoise(x, start)
        k2 = torch.add(x, k1, alpha=h / (2 * start))
        k2 = k2 - denoise(k2, middle)
        k3 = torch.add(x, k2, alpha=h / (2 * middle))
        k3 = k3 - denoise(k3, middle)
        k4 = torch.add(x, k3, alpha=h / middle)
        k4 = k4 - denoise(k4, end)
        x = torch.add(x, k1, alpha=h / (6 * start))
        x.add_(k2, alpha=h / (3 * middle)).add_(k3, alpha=h / (3 * middle)).add_(k4, alpha=h / (6 * end))
    return x


DEFAULT = Auto().fitted(sigma_data=0.5, nfe=20, dimensions=math.prod(SHAPE[1:]))
DEFAULT_PLAN = [step.stages[0] for step in DEFAULT.plan(LEVELS)]


def corrected_by_hand(x: Tensor) -> Tensor:
    """The default at 20 evaluations of a clip: its coefficients, a dictionary of the past, one operation a term."""
    past: dict[int, Tensor] = {}
    base = x
    for stage in DEFAULT_PLAN:
        number, kappa = stage.saves[0]
        past[number] = torch.sub(x, denoise(x, stage.sigma), alpha=kappa)
        for update in (stage.correction, stage.update):
            if update is None:
                base = x
                continue
            result = torch.mul(base, update.decay)
            for node, weight in update.terms:
                result.add_(past[node], alpha=weight)
            base, x = (result, x) if update is stage.correction else (base, result)
    return x


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def euler_ancestral_by_hand(x: Tensor) -> Tensor:
    source = generator()
    for start, end in pairwise(LEVELS):
        x = torch.lerp(x, denoise(x, start), 1 - (end / start) ** 2)
        x.add_(torch.randn(SHAPE, generator=source), alpha=end * math.sqrt(1 - (end / start) ** 2))
    return x


def sde_2m_by_hand(x: Tensor) -> Tensor:
    source, before, old = generator(), LEVELS[0], CLEAN
    for start, end in pairwise(LEVELS):
        clean = denoise(x, start)
        c = math.log(start / end) / (2 * math.log(before / start)) if before > start else 0.0
        x = torch.lerp(x, torch.lerp(clean, old, -c), 1 - (end / start) ** 2)
        x.add_(torch.randn(SHAPE, generator=source), alpha=end * math.sqrt(1 - (end / start) ** 2))
        before, old = start, clean
    return x


PAIRS: dict[str, tuple[Solver, Callable[[Tensor], Tensor]]] = {
    "euler": (Euler(), euler_by_hand),
    "heun": (Heun(), heun_by_hand),
    "dpm 2M": (DPM(), two_m_by_hand),
    "lms 2": (LMS(order=2), lms_2_by_hand),
    "runge_kutta 4": (RungeKutta(variable="sigma"), runge_kutta_4_by_hand),
    "euler_ancestral": (EulerAncestral(), euler_ancestral_by_hand),
    "dpm_sde 2M": (DPMSDE(), sde_2m_by_hand),
    "auto of 18 to 28 evaluations": (DEFAULT, corrected_by_hand),
    "exponential_integrator noise 3": (ExponentialIntegrator(), noise_3_by_hand),
}


def by_solver(name: str) -> Callable[[Tensor], Tensor]:
    sigmas = torch.tensor(LEVELS, dtype=torch.float64)
    return lambda x: PAIRS[name][0].solve(denoise, x, sigmas, generator=generator())


K_DIFFUSION = {"euler": "euler", "heun": "heun", "dpm 2M": "dpmpp_2m"}


def by_k_diffusion(name: str) -> Callable[[Tensor], Tensor]:
    sample = peers_k_diffusion.samplers()[K_DIFFUSION[name]]
    return lambda x: sample(denoise, x, LEVELS)


DIFFUSERS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "dpm 2M": ("DPMSolverMultistepScheduler", {"lower_order_final": False, "final_sigmas_type": "sigma_min"}),
    "exponential_integrator noise 3": ("DEISMultistepScheduler", {"solver_order": 3, "lower_order_final": False}),
}


def by_diffusers(name: str) -> Callable[[Tensor], Tensor]:
    """Their loop; a scheduler of the variance-preserving kind is given, and gives, x / sqrt(1 + sigma^2)."""
    kind, options = DIFFUSERS[name]
    scheduler = getattr(peers_diffusers.library(), kind)(prediction_type="sample", **options)
    start, end = (1.0, 1.0) if name == "euler" else (math.hypot(1, LEVELS[0]), math.hypot(1, LEVELS[-1]))
    scheduler.is_scale_input_called = True

    def sample(x: Tensor) -> Tensor:
        scheduler.set_timesteps(STEPS)
        scheduler.sigmas = torch.tensor(LEVELS)
        scheduler.timesteps = torch.arange(STEPS, dtype=torch.float32)
        scheduler.set_begin_index(0)
        x = x / start
        for time in scheduler.timesteps:
            x = scheduler.step(denoise(x, 0.0), time, x).prev_sample
        return x * end

    return sample


SIDES: dict[str, Callable[[str], Callable[[Tensor], Tensor]]] = {
    "solver": by_solver,
    "by hand": lambda name: PAIRS[name][1],
    "k-diffusion": by_k_diffusion,
    "diffusers": by_diffusers,
}


@pytest.mark.filterwarnings("ignore")  # those of the libraries
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", PAIRS)
def test_step_overhead(name: str, side: str, benchmark: Any) -> None:
    for library, module, known in (
        ("k-diffusion", peers_k_diffusion, K_DIFFUSION),
        ("diffusers", peers_diffusers, DIFFUSERS),
    ):
        if side == library and name not in known:
            pytest.skip(f"{library} has no such method, or not as one loop")
        if side == library and not module.installed():
            pytest.skip(f"{library} is not installed")
    benchmark.group = name
    x = 80 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    run = SIDES[side](name)
    with torch.no_grad():
        result = benchmark(run, x)
    torch.testing.assert_close(result, PAIRS[name][1](x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", [1, 4])
def test_planning(order: int, benchmark: Any) -> None:
    """The host's float64 work for a whole schedule, done once before the first step."""
    benchmark.group = f"plan of {STEPS} steps"
    benchmark(ExponentialIntegrator(order=order).plan, LEVELS)
