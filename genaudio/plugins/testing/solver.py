"""What holds for every solver, checked on Gaussian data, for which the trajectory has a closed form.

For data N(0, s^2) the ideal denoiser is D(x; sigma) = x s^2 / (s^2 + sigma^2), and the probability-flow trajectory is
x(sigma) = x(sigma_0) sqrt((s^2 + sigma^2) / (s^2 + sigma_0^2)).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genaudio.plugins.testing.findings import Findings
from genaudio.samplers.base import Solver

# Several problems at once: on a single one the error of a high order may change sign where the order is read.
STANDARD_DEVIATIONS = torch.tensor([0.3, 0.7, 1.1, 2.0], dtype=torch.float64)
SIGMA_MAX, SIGMA_MIN = 10.0, 0.1
ORDER_TOLERANCE = 0.3
_FLOOR = 1e-12  # relative error below which rounding, not the method, is seen


class _Gaussian:
    """The ideal denoiser of Gaussian data, x (batch, ..., 4) with a deviation each; counts its evaluations."""

    def __init__(self) -> None:
        self.evaluations = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.evaluations += 1
        variance = STANDARD_DEVIATIONS**2
        return x * (variance / (variance + sigma**2)).to(x)


def _levels(num_steps: int, *, to_zero: bool) -> Tensor:
    """Levels that are uniform in log sigma, then 0 if asked for."""
    steps = num_steps - 1 if to_zero else num_steps
    ratio = math.log(SIGMA_MIN / SIGMA_MAX)
    levels = [SIGMA_MAX * math.exp(ratio * i / max(steps, 1)) for i in range(steps + 1)]
    return torch.tensor([*levels, 0.0] if to_zero else levels, dtype=torch.float64)


def _generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 + i) for i in range(count)]


def measured_order(solver: Solver) -> float:
    """The order of convergence in float64, from 256 to 512 steps, or from fewer where rounding is reached."""
    x = torch.full((1, 4), 3.0, dtype=torch.float64)
    variance = STANDARD_DEVIATIONS**2
    exact = x * ((variance + SIGMA_MIN**2) / (variance + SIGMA_MAX**2)).sqrt()

    def error(steps: int) -> float:
        end = solver.solve(_Gaussian(), x, _levels(steps, to_zero=False), generator=_generators(1))
        return float((end / exact - 1).square().mean().sqrt())

    steps = 512
    coarse, fine = error(steps // 2), error(steps)
    while fine < _FLOOR and steps > 16:
        steps //= 2
        coarse, fine = error(steps // 2), coarse
    return math.inf if fine < _FLOOR else math.log2(coarse / fine)


def check_solver(solver: Solver) -> None:
    """Check a solver: its declared order and evaluations, that items are independent, that its input stays as it is.

    A stochastic solver is not held to an order along the closed-form trajectory; an adaptive one neither to that nor
    to a count.
    """
    findings = Findings(f"solver {type(solver).__name__}")
    x = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * SIGMA_MAX

    adaptive = solver.evaluations(1) is None
    if not (solver.stochastic or adaptive):
        order = measured_order(solver)
        findings.expect(
            order > solver.order - ORDER_TOLERANCE, f"it declares order {solver.order}, but converges with {order:.2f}"
        )

    for num_steps in (1, 2, 3, 5, 12):
        denoiser = _Gaussian()
        ticks: list[tuple[int, int]] = []
        sigmas = _levels(num_steps, to_zero=True)
        before = x.clone(), sigmas.clone()

        def tick(done: int, total: int, ticks: list[tuple[int, int]] = ticks) -> None:
            ticks.append((done, total))

        end = solver.solve(denoiser, x, sigmas, generator=_generators(3), callback=tick)
        case = f"with {num_steps} steps"
        declared = solver.evaluations(num_steps)
        findings.expect(
            declared is None or denoiser.evaluations == declared,
            f"{case} it declares {declared} evaluations, but makes {denoiser.evaluations}",
        )
        findings.expect(bool(end.isfinite().all()), f"{case} its result is not finite")
        findings.expect(end.shape == x.shape and end.dtype == x.dtype, f"{case} it changes the shape or the dtype")
        findings.expect(torch.equal(x, before[0]) and torch.equal(sigmas, before[1]), f"{case} it modifies its input")
        expected = [(done, num_steps) for done in range(1, num_steps + 1)]
        findings.expect(
            declared is None or ticks == expected, f"{case} it calls back with {ticks}, not after each step"
        )

    least = solver.evaluations(1)
    for nfe in () if least is None else (least, 10, 25):
        steps = solver.num_steps(nfe)
        findings.expect(
            (solver.evaluations(steps) or 0) <= max(nfe, least or 0), f"its {steps} steps exceed a budget of {nfe}"
        )

    sigmas = _levels(6, to_zero=True)
    together = solver.solve(_Gaussian(), x, sigmas, generator=_generators(3))
    for item, generator in enumerate(_generators(3)):
        alone = solver.solve(_Gaussian(), x[item : item + 1], sigmas, generator=[generator])
        same = torch.allclose(alone[0], together[item], rtol=1e-12, atol=1e-12)
        findings.expect(same, f"item {item} comes out otherwise alone than in a batch")

    single = solver.solve(_Gaussian(), x.float(), sigmas, generator=_generators(3))
    findings.expect(single.dtype == torch.float32, f"float32 comes out as {single.dtype}")
    close = torch.allclose(single.double(), together, rtol=1e-4, atol=1e-4)
    findings.expect(close or solver.stochastic, "in float32 it ends elsewhere than in float64")
    findings.close()
