"""The default on a trained model, beside what it is for items of few numbers and a sampler of the literature.

Run: `gen run recipes/quickstart.yaml`, then `python benchmarks/solvers/trained_model.py runs/quickstart [--seed 300]`,
in a few minutes on one core. Errors are relative to the ends of 100 steps of order 4 with the same guidance, in float32
(half precision alone would make 0.005); root mean square and median over the clips.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

import genaudio
from genaudio.runs.model import Model
from genaudio.runs.sampling import SamplingPlan
from genaudio.runs.starts import Starts, labels_of
from genaudio.samplers.auto import Auto
from genaudio.samplers.base import Solver
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.schedules.auto import Auto as AutoSchedule
from genaudio.samplers.schedules.base import Schedule
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.schedules.sinh import Sinh

BUDGETS = (5, 8, 10, 15, 20, 30, 50)
FINE = 100


def sides(model: Model, nfe: int) -> dict[str, tuple[Solver, Schedule]]:
    """What is compared at a budget."""
    sigma_data = model.sigma_data
    return {
        "default": (Auto(), AutoSchedule()),
        "as in few dimensions": (Auto().fitted(sigma_data, nfe), AutoSchedule().fitted(sigma_data, nfe)),
        "DEIS 3, Karras": (ExponentialIntegrator(order=3, prediction="noise"), Karras()),
    }


def reference(model: Model) -> SamplingPlan:
    """The fine solution."""
    solver = ExponentialIntegrator(order=4, corrector=True, prediction="velocity", warmup="singlestep")
    return model.plan(solver=solver, schedule=Sinh(centre=0.5, width_above=2.0, width_below=2.0), num_steps=FINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, or a model folder")
    parser.add_argument("--seed", type=int, default=300, help="of the first clip's noise")
    parser.add_argument("--items", type=int, default=12)
    options = parser.parse_args()
    model = genaudio.load(options.run, "cpu")
    model = replace(model, card={**model.card, "precision": "float32"})
    starts = Starts.of(model, range(options.seed, options.seed + options.items), labels_of(model, None))
    exact = starts.solve(reference(model))
    scale = exact.square().mean().sqrt()
    print("| | " + " | ".join(map(str, BUDGETS)) + " |")
    rows: dict[str, list[str]] = {}
    for nfe in BUDGETS:
        for name, (solver, schedule) in sides(model, nfe).items():
            ends = starts.solve(model.plan(solver=solver, schedule=schedule, nfe=nfe))
            errors = (ends - exact).flatten(1).square().mean(1).sqrt() / scale
            rows.setdefault(name, []).append(
                f"{float(errors.square().mean().sqrt()):.4f}, {float(errors.median()):.4f}"
            )
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
