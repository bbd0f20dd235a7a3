"""Error of every solver against its evaluations, on mixtures of Gaussians whose denoiser is known in closed form.

Run: `python benchmarks/samplers/gaussian_mixture.py [--problem line] [--median] [--guidance 3]`. Prints the root mean
square error (or the median of the items' errors) at sigma = 0 of trajectories that start at sigma = 80, in float64, for
budgets of 5 to 50 evaluations. The reference is the integrator of order 4 on 4,000 steps.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.samplers.base import Solver
from genaudio.samplers.dpm import DPM
from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.karras import Karras

BUDGETS = (5, 8, 10, 15, 20, 30, 50)
SIGMA_MIN, SIGMA_MAX = 0.002, 80.0


@dataclass(frozen=True)
class Mixture:
    """Isotropic Gaussians: means (components, dimensions), standard deviations and weights (components,)."""

    means: Tensor
    stds: Tensor
    weights: Tensor

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """E[clean | x]: (items, dimensions) to the same."""
        variance = self.stds**2 + sigma**2
        gap = x[:, None] - self.means
        log = self.weights.log() - gap.square().sum(-1) / (2 * variance) - 0.5 * x.shape[1] * variance.log()
        each = self.means + (self.stds**2 / variance)[:, None] * gap
        return (log.softmax(-1)[..., None] * each).sum(1)


@dataclass(frozen=True)
class Guided:
    """A mixture under classifier-free guidance towards two of its components."""

    mixture: Mixture
    scale: float

    @property
    def means(self) -> Tensor:
        """The mixture's means."""
        return self.mixture.means

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        """D + scale (D of components 1 and 2 - D)."""
        whole, kept = self.mixture, slice(1, 3)
        part = Mixture(whole.means[kept], whole.stds[kept], whole.weights[kept])
        return torch.lerp(whole.denoise(x, sigma), part.denoise(x, sigma), self.scale)


def problems() -> dict[str, Mixture]:
    """A 1-D mixture of 4, a 64-D mixture of 8 and 25 narrow modes in the plane, each of variance near 1/4."""
    generator = torch.Generator().manual_seed(0)
    double = torch.float64
    line = Mixture(
        torch.tensor([[-0.8], [-0.2], [0.25], [0.7]], dtype=double),
        torch.tensor([0.15, 0.05, 0.1, 0.2], dtype=double),
        torch.tensor([0.3, 0.2, 0.2, 0.3], dtype=double),
    )
    cloud = Mixture(
        0.45 * torch.randn(8, 64, generator=generator, dtype=double),
        torch.linspace(0.05, 0.3, 8, dtype=double),
        torch.full((8,), 1 / 8, dtype=double),
    )
    axis = torch.linspace(-0.7, 0.7, 5, dtype=double)
    grid = Mixture(
        torch.cartesian_prod(axis, axis), torch.full((25,), 0.03, dtype=double), torch.full((25,), 0.04, dtype=double)
    )
    return {"line": line, "cloud": cloud, "grid": grid}


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
    }
    for prediction in ("data", "noise", "velocity"):
        for order in (2, 3, 4):
            found[f"ei {prediction} {order}"] = ExponentialIntegrator(order=order, prediction=prediction)
    return found


def errors(mixture: Mixture | Guided, noise: Tensor, reference: Tensor, solver: Solver, nfe: int, rho: float) -> Tensor:
    """Each item's error with a budget of `nfe` evaluations: (items,)."""
    sigmas = Karras(rho=rho).sigmas(solver.num_steps(nfe), SIGMA_MIN, SIGMA_MAX)
    result = solver.solve(mixture.denoise, SIGMA_MAX * noise, sigmas)
    return (result - reference).square().mean(-1).sqrt()


def table(mixture: Mixture | Guided, summary: Callable[[Tensor], float], rho: float, items: int) -> None:
    """Print one line a solver, one column a budget."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(items, mixture.means.shape[1], generator=generator, dtype=torch.float64)
    fine = Karras(rho=50.0).sigmas(4000, SIGMA_MIN, SIGMA_MAX)
    reference = ExponentialIntegrator(order=4).solve(mixture.denoise, SIGMA_MAX * noise, fine)
    for name, solver in solvers().items():
        cells = [summary(errors(mixture, noise, reference, solver, nfe, rho)) for nfe in BUDGETS]
        print(f"{name:18}" + "".join(f"{cell:10.1e}" for cell in cells))


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", choices=[*problems(), "all"], default="line")
    parser.add_argument("--median", action="store_true", help="median of the items' errors instead of the RMS")
    parser.add_argument("--rho", type=float, default=7.0, help="exponent of Karras' schedule")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--guidance", type=float, default=1.0, help="scale of guidance; 1: none")
    options = parser.parse_args()

    def summary(each: Tensor) -> float:
        return float(each.median()) if options.median else math.sqrt(float(each.square().mean()))

    with torch.no_grad():
        for name, mixture in problems().items():
            if options.problem in (name, "all"):
                print(f"{name:18}" + "".join(f"{nfe:10}" for nfe in BUDGETS))
                guided = mixture if options.guidance == 1 else Guided(mixture, options.guidance)
                table(guided, summary, options.rho, options.items)


if __name__ == "__main__":
    main()
