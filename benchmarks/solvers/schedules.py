"""Error of one solver with every schedule, on the mixtures of `gaussian_mixture.py`, beside which it stands.

Run: `python benchmarks/solvers/schedules.py [--problem line] [--solver exponential_integrator] [--median]`. Prints the
root mean square error (or the median of the items' errors) at sigma = 0 of trajectories that start at sigma = 80, in
float64, for budgets of 5 to 50 evaluations.
"""

from __future__ import annotations

import argparse
import math
from typing import cast

import torch
from gaussian_mixture import BUDGETS, problems
from problems import SIGMA_DATA, SIGMA_MAX, SIGMA_MIN

from genaudio import Schedule, Solver, create
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.schedules.exponential import Exponential
from genaudio.samplers.schedules.polynomial import Polynomial

NAMES = ("karras", "exponential", "polynomial", "cosine", "vp", "flow", "sinh", "auto")


def schedules() -> dict[str, Schedule]:
    """What is compared."""
    found = {name: cast(Schedule, create("schedule", name)) for name in NAMES}
    return found | {f"polynomial {rho}": Polynomial(rho=rho) for rho in (0.6, 1.2)}


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", choices=list(problems()), default="line")
    parser.add_argument("--solver", default="exponential_integrator")
    parser.add_argument("--median", action="store_true", help="median of the items' errors instead of the RMS")
    parser.add_argument("--items", type=int, default=256)
    options = parser.parse_args()
    mixture = problems()[options.problem]
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(options.items, mixture.means.shape[1], generator=generator, dtype=torch.float64)
    fine = Exponential().sigmas(4000, SIGMA_MIN, SIGMA_MAX)
    reference = ExponentialIntegrator(order=4).solve(mixture, SIGMA_MAX * noise, fine)
    print(f"{options.problem:16}" + "".join(f"{nfe:10}" for nfe in BUDGETS))
    for name, schedule in schedules().items():
        cells = []
        for nfe in BUDGETS:
            solver = cast(Solver, create("solver", options.solver)).fitted(SIGMA_DATA, nfe)
            sigmas = schedule.fitted(SIGMA_DATA, nfe).sigmas(solver.num_steps(nfe), SIGMA_MIN, SIGMA_MAX)
            error = (solver.solve(mixture, SIGMA_MAX * noise, sigmas) - reference).square().mean(-1).sqrt()
            cells.append(float(error.median()) if options.median else math.sqrt(float(error.square().mean())))
        print(f"{name:16}" + "".join(f"{cell:10.1e}" for cell in cells))


if __name__ == "__main__":
    with torch.no_grad():
        main()
