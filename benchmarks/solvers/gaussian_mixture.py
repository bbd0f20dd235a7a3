"""Error of every solver against its evaluations, on mixtures of Gaussians whose denoiser is known in closed form.

Run: `python benchmarks/solvers/gaussian_mixture.py [--problem line] [--median] [--guidance 3]`. Prints the root mean
square error (or the median of the items' errors) at sigma = 0 of trajectories that start at sigma = 80, in float64, for
budgets of 5 to 50 evaluations. The reference is the integrator of order 4 on 4,000 steps. With `--adaptive`, the
solvers that choose their steps instead: evaluations an item and error, by tolerance.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from problems import SIGMA_MAX, SIGMA_MIN, Mixture, cloud, grid, line
from torch import Tensor

from genaudio.samplers.base import Solver
from genaudio.samplers.dpm import DPM
from genaudio.samplers.dpm_adaptive import DPMAdaptive
from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.lms import LMS
from genaudio.samplers.runge_kutta import RungeKutta
from genaudio.samplers.runge_kutta_adaptive import RungeKuttaAdaptive
from genaudio.samplers.schedules.karras import Karras

TOLERANCES = (3e-2, 1e-2, 1e-3, 1e-4, 1e-5)
BUDGETS = (5, 8, 10, 15, 20, 30, 50)


@dataclass(frozen=True)
class Guided:
    """A mixture under classifier-free guidance towards two of its components."""

    mixture: Mixture
    scale: float

    @property
    def means(self) -> Tensor:
        """The mixture's means."""
        return self.mixture.means

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """D + scale (D of components 1 and 2 - D)."""
        whole, kept = self.mixture, slice(1, 3)
        part = Mixture(whole.means[kept], whole.stds[kept], whole.weights[kept])
        return torch.lerp(whole(x, sigma), part(x, sigma), self.scale)


def problems() -> dict[str, Mixture]:
    """The 1-D mixture of 4, the 64-D mixture of 8 and the 25 narrow modes in the plane of problems.py."""
    return {"line": line(), "cloud": cloud(), "grid": grid()}


def solvers() -> dict[str, Solver]:
    """What is compared."""
    found: dict[str, Solver] = {
        "euler": Euler(),
        "heun": Heun(),
        "dpm 2M": DPM(),
        "dpm 3M": DPM(order=3),
        "dpm 3M published": DPM(order=3, published=True),
        "dpm 2S": DPM(variant="singlestep"),
        "dpm 3S": DPM(variant="singlestep", order=3),
        "dpm noise 2S": DPM(variant="singlestep", prediction="noise"),
        "dpm noise 3S": DPM(variant="singlestep", prediction="noise", order=3),
        **{f"lms {order}": LMS(order=order) for order in (2, 3, 4)},
    }
    for variable in ("angle", "sigma", "log_sigma"):
        for order in (3, 4):
            found[f"rk {variable} {order}"] = RungeKutta(order=order, variable=variable)
    for prediction in ("data", "noise", "velocity"):
        for order in (2, 3, 4):
            found[f"ei {prediction} {order}"] = ExponentialIntegrator(order=order, prediction=prediction)
    return found


def errors(mixture: Mixture | Guided, noise: Tensor, reference: Tensor, solver: Solver, nfe: int, rho: float) -> Tensor:
    """Each item's error with a budget of `nfe` evaluations: (items,)."""
    sigmas = Karras(rho=rho).sigmas(solver.num_steps(nfe), SIGMA_MIN, SIGMA_MAX)
    result = solver.solve(mixture, SIGMA_MAX * noise, sigmas)
    return (result - reference).square().mean(-1).sqrt()


def table(mixture: Mixture | Guided, summary: Callable[[Tensor], float], rho: float, items: int) -> None:
    """Print one line a solver, one column a budget."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(items, mixture.means.shape[1], generator=generator, dtype=torch.float64)
    fine = Karras(rho=50.0).sigmas(4000, SIGMA_MIN, SIGMA_MAX)
    reference = ExponentialIntegrator(order=4).solve(mixture, SIGMA_MAX * noise, fine)
    for name, solver in solvers().items():
        cells = [summary(errors(mixture, noise, reference, solver, nfe, rho)) for nfe in BUDGETS]
        print(f"{name:18}" + "".join(f"{cell:10.1e}" for cell in cells))


def adaptive_table(mixture: Mixture | Guided, summary: Callable[[Tensor], float], items: int) -> None:
    """Print one line a solver, one column a tolerance: evaluations of an item, run alone, and the error."""
    generator = torch.Generator().manual_seed(1)
    x = SIGMA_MAX * torch.randn(items, mixture.means.shape[1], generator=generator, dtype=torch.float64)
    reference = ExponentialIntegrator(order=4).solve(mixture, x, Karras(rho=50.0).sigmas(4000, SIGMA_MIN, SIGMA_MAX))
    ends = torch.tensor([SIGMA_MAX, SIGMA_MIN, 0.0], dtype=torch.float64)
    solvers: dict[str, Solver] = {"runge_kutta": RungeKuttaAdaptive()}
    solvers |= {
        f"dpm {p} {order}": DPMAdaptive(order=order, prediction=p) for p in ("noise", "data") for order in (2, 3)
    }
    for name, solver in solvers.items():
        cells = []
        for tolerance in TOLERANCES:
            chosen = solver.model_copy(update={"rtol": tolerance, "atol": tolerance, "max_evaluations": 10_000})
            calls = 0

            def counting(y: Tensor, sigma: float) -> Tensor:
                nonlocal calls
                calls += 1
                return mixture(y, sigma)

            result = torch.cat([chosen.solve(counting, item[None], ends) for item in x])
            cells.append(f"{calls / items:8.0f}{summary((result - reference).square().mean(-1).sqrt()):8.0e}")
        print(f"{name:18}" + "".join(cells))


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", choices=[*problems(), "all"], default="line")
    parser.add_argument("--median", action="store_true", help="median of the items' errors instead of the RMS")
    parser.add_argument("--rho", type=float, default=7.0, help="exponent of Karras' schedule")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--guidance", type=float, default=1.0, help="scale of guidance; 1: none")
    parser.add_argument("--adaptive", action="store_true", help="solvers that choose their steps, 32 items")
    options = parser.parse_args()

    def summary(each: Tensor) -> float:
        return float(each.median()) if options.median else math.sqrt(float(each.square().mean()))

    with torch.no_grad():
        for name, mixture in problems().items():
            if options.problem in (name, "all"):
                guided = mixture if options.guidance == 1 else Guided(mixture, options.guidance)
                if options.adaptive:
                    print(f"{name:18}" + "".join(f"{tolerance:16.0e}" for tolerance in TOLERANCES))
                    adaptive_table(guided, summary, min(options.items, 32))
                    continue
                print(f"{name:18}" + "".join(f"{nfe:10}" for nfe in BUDGETS))
                table(guided, summary, options.rho, options.items)


if __name__ == "__main__":
    main()
