"""UniPC and DEIS beside independent spellings of their published formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from genaudio.samplers.base import Solver
from genaudio.samplers.deis import DEIS
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.lms import LMS
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.unipc import UniPC


def denoise(x: Tensor, sigma: float) -> Tensor:
    """Nothing linear, so that no formula passes by luck."""
    return torch.tanh(x / math.sqrt(1 + sigma**2)) + 0.1 * math.log1p(sigma)


@pytest.fixture
def x() -> Tensor:
    return 80 * torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def sigmas() -> Tensor:
    return Karras().sigmas(13, 0.002, 80.0)[:-1]


def unipc(x: Tensor, sigmas: list[float], order: int, *, bh: int, data: bool, corrector: bool = True) -> Tensor:
    """UniP-p and UniC-p by their linear systems (arXiv 2302.04867, Algorithms 5 to 8), with alpha = 1."""

    def step(x: Tensor, start: float, end: float, past: list[tuple[float, Tensor]], new: Tensor | None) -> Tensor:
        lam_s, lam_t = -math.log(start), -math.log(end)
        h = lam_t - lam_s
        hh = -h if data else h
        phi = math.expm1(hh) / hh - 1
        scale = hh if bh == 1 else math.expm1(hh)
        newest = past[0][1]
        rs = [(-math.log(level) - lam_s) / h for level, _ in past[1:]] + [1.0] * (new is not None)
        differences = [(value - newest) / r for (_, value), r in zip(past[1:], rs, strict=False)]
        differences += [] if new is None else [new - newest]
        rows, right, factorial = [], [], 1.0
        for k in range(1, len(rs) + 1):
            rows.append([r ** (k - 1) for r in rs])
            right.append(phi * factorial / scale)
            factorial *= k + 1
            phi = phi / hh - 1 / factorial
        if len(rs) == 1:
            shares = [0.5]
        else:
            shares = (
                []
                if not rs
                else torch.linalg.solve(
                    torch.tensor(rows, dtype=torch.float64), torch.tensor(right, dtype=torch.float64)
                )
            )
        total = sum((share * d for share, d in zip(shares, differences, strict=True)), torch.zeros_like(x))
        if data:
            return end / start * x - math.expm1(hh) * newest - scale * total
        return x - end * (math.expm1(hh) * newest + scale * total)

    past: list[tuple[float, Tensor]] = []
    base, before, previous = x, None, 0.0
    for start, end in pairwise(sigmas):
        clean = denoise(x, start)
        new = clean if data else (x - clean) / start
        if corrector and before is not None:
            x = step(base, previous, start, before, new)
        past = [(start, new), *past][:order]
        base, before, previous = x, past, start
        x = step(x, start, end, past, None)
    return x


def adams_bashforth_on_noise(x: Tensor, sigmas: list[float], order: int, variable: Callable[[float], float]) -> Tensor:
    """DEIS: the noise as a polynomial in a variable, integrated over sigma with a fine Simpson rule."""
    past: list[tuple[float, Tensor]] = []
    for start, end in pairwise(sigmas):
        past = [(start, (x - denoise(x, start)) / start), *past][:order]
        grid = torch.linspace(start, end, 20001, dtype=torch.float64)
        where = torch.tensor([variable(sigma) for sigma in grid.tolist()], dtype=torch.float64)
        rule = torch.full_like(grid, 2.0)
        rule[1::2], rule[0], rule[-1] = 4.0, 1.0, 1.0
        for j, (node, noise) in enumerate(past):
            basis = torch.ones_like(grid)
            for i, (other, _) in enumerate(past):
                if i != j:
                    basis = basis * (where - variable(other)) / (variable(node) - variable(other))
            x = x + (rule * basis).sum() * (end - start) / 60000 * noise
    return x


CASES: dict[str, tuple[Solver, Callable[[Tensor, list[float]], Tensor]]] = {
    f"unipc {order} bh{bh} {prediction}{'' if corrector else ' predictor only'}": (
        UniPC(predictor_order=order, variant=f"bh{bh}", prediction=prediction, corrector=corrector, warmup="ramp"),
        partial(unipc, order=order, bh=bh, data=prediction == "data", corrector=corrector),
    )
    for order in (1, 2, 3)
    for bh in (1, 2)
    for prediction in ("data", "noise")
    for corrector in (True, False)
}


@pytest.mark.parametrize("name", CASES)
def test_unipc_is_its_linear_system(name: str, x: Tensor, sigmas: Tensor) -> None:
    solver, formula = CASES[name]
    expected = formula(x, sigmas.tolist())
    torch.testing.assert_close(solver.solve(denoise, x, sigmas), expected, rtol=1e-11, atol=1e-11)


def vp_time(sigma: float) -> float:
    """t of exp(beta_d t^2 / 2 + beta_min t) - 1 = sigma^2 (EDM, Table 1)."""
    return (math.sqrt(0.1**2 + 2 * 19.9 * math.log(1 + sigma**2)) - 0.1) / 19.9


@pytest.mark.parametrize(
    ("variant", "variable"), [("t_ab", vp_time), ("rho_ab", lambda sigma: sigma), ("log_rho_ab", math.log)]
)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_deis_is_adams_bashforth_on_the_noise(
    order: int, variant: str, variable: Callable[[float], float], x: Tensor, sigmas: Tensor
) -> None:
    ours = DEIS(order=order, variant=variant, warmup="ramp").solve(denoise, x, sigmas)
    expected = adams_bashforth_on_noise(x, sigmas.tolist(), order, variable)
    torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-8)


def test_deis_in_rho_is_the_linear_multistep_method(x: Tensor, sigmas: Tensor) -> None:
    for order in (1, 2, 3, 4):
        ours = DEIS(order=order, variant="rho_ab").solve(denoise, x, sigmas)
        assert torch.equal(ours, LMS(order=order).solve(denoise, x, sigmas))


def test_the_exact_corrector_is_unipc_from_three_predictions_on(x: Tensor) -> None:
    """They differ where two predictions are all there is: in the predictor's second step, by h^3."""
    gaps = []
    for ratio in (1.2, 1.1):
        sigmas = torch.tensor([ratio**3, ratio**2, ratio, 1.0], dtype=torch.float64)
        exact = ExponentialIntegrator(order=4, prediction="data", corrector=True, warmup="ramp")
        gaps.append((exact.solve(denoise, x, sigmas) - UniPC(warmup="ramp").solve(denoise, x, sigmas)).abs().max())
    assert math.log(gaps[0] / gaps[1]) / math.log(math.log(1.2) / math.log(1.1)) == pytest.approx(3, abs=0.4)
