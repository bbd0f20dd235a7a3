"""genaudio's solvers on the same problems: each on the grids that the peers get, the default, and tuned schedules.

The default is the solver and the schedule named `auto`, settled by the budget.
A tuned schedule is found by `genaudio.samplers.tuning` for the default's family of solvers, on noises of other seeds
than those of the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import Any

import torch
from grids import GRIDS, levels
from peers import STOPS, Counted, Row, gaussian, key, summary
from problems import SIGMA_DATA, SIGMA_MAX, SIGMA_MIN, bench
from reference import Ends, cache_folder, fingerprint
from torch import Tensor

from genaudio.samplers.auto import Auto
from genaudio.samplers.base import Solver
from genaudio.samplers.deis import DEIS
from genaudio.samplers.dpm import DPM
from genaudio.samplers.euler import Euler
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.heun import Heun
from genaudio.samplers.lms import LMS
from genaudio.samplers.schedules.auto import Auto as AutoSchedule
from genaudio.samplers.schedules.base import Schedule
from genaudio.samplers.schedules.exponential import Exponential
from genaudio.samplers.tuning import Trajectories, tune
from genaudio.samplers.unipc import UniPC

DEFAULT, TUNED = "default", "tuned"
TUNING_SEEDS = (101, 102)  # of the trajectories to fit, and of those to choose by
TUNING_ITEMS, TUNING_SOLVES = 1024, 500
TUNED_ORDERS = {  # (order, corrector) that are tried at a budget
    5: ((2, False), (3, False)),
    8: ((2, True), (3, False), (3, True)),
    10: ((3, False), (3, True), (4, True)),
    15: ((3, True), (4, True), (5, True)),
    20: ((4, True), (5, True)),
}
Grid = Callable[[int, str], list[float]]  # (steps, ending)


def solvers() -> dict[str, Solver]:
    """What is run on each of the peers' grids."""
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
            found[f"exponential_integrator {prediction} {order}"] = ExponentialIntegrator(
                order=order, prediction=prediction, sigma_data=SIGMA_DATA
            )
    found |= {f"unipc {prediction}": UniPC(prediction=prediction) for prediction in ("data", "noise")}
    found |= {f"deis {variant} 3": DEIS(variant=variant) for variant in ("t_ab", "rho_ab")}
    found["lms 4"] = LMS()
    for prediction in ("data", "noise", "velocity"):
        for order in (3, 4, 5):
            found[f"exponential_integrator {prediction} {order} corrected"] = ExponentialIntegrator(
                order=order, prediction=prediction, corrector=True, sigma_data=SIGMA_DATA
            )
    return found


def default(nfe: int) -> tuple[Solver, Schedule]:
    """What a recipe gets that names neither."""
    return Auto().fitted(SIGMA_DATA, nfe), AutoSchedule().fitted(SIGMA_DATA, nfe)


def grid_of(schedule: Schedule) -> Grid:
    """The levels of a schedule, less the 0 for ending A."""

    def grid(steps: int, ending: str) -> list[float]:
        if ending == "A":
            return schedule.sigmas(steps + 1, SIGMA_MIN, SIGMA_MAX)[:-1].tolist()
        return schedule.sigmas(steps, SIGMA_MIN, SIGMA_MAX).tolist()

    return grid


def solve(solver: Solver, denoise: Any, x: Tensor, grid: list[float]) -> Tensor:
    with torch.no_grad():
        return solver.solve(denoise, x, torch.tensor(grid, dtype=torch.float64))


def steps_within(solver: Solver, grid: Grid, nfe: int, ending: str) -> int:
    """The most steps that take at most `nfe` evaluations, as a denoiser counts them; 0: none."""
    x = torch.ones(1, 1, dtype=torch.float64)
    for steps in range(nfe, 0, -1):
        counted = Counted(gaussian)
        solve(solver, counted, x, grid(steps, ending))
        if len(counted.levels) <= nfe:
            return steps
    return 0


def row(solver: Solver, grid: Grid, nfe: int, ending: str, denoise: Any, exact: Ends, stops: bool = False) -> Row:
    """One cell; `stops`: the grid ends at sigma_min whatever the ending that its result is compared at."""
    run = "A" if stops else ending
    steps = steps_within(solver, grid, nfe, run)
    if steps == 0:
        return {"failed": "more evaluations than the budget in a single step"}
    result = solve(solver, denoise, SIGMA_MAX * exact.noise, grid(steps, run))
    return {**summary(result, exact, ending, denoise), "steps": steps}


def fixed_rows(name: str, exact: Ends, nfe: int, ending: str) -> dict[str, Row]:
    """Every solver of `solvers` on every grid of the peers, at 0 also as stopped at sigma_min, as the peers are."""
    denoise = bench(name).denoise
    found = {}
    for (label, solver), at, stops in product(solvers().items(), GRIDS, (False, True)):
        if not stops or ending == "B":
            cell = row(solver.fitted(SIGMA_DATA, nfe), partial(levels, at), nfe, ending, denoise, exact, stops)
            found[key(label + STOPS * stops, at, ending, nfe)] = cell
    return found


def default_row(name: str, exact: Ends, nfe: int, ending: str) -> Row:
    solver, schedule = default(nfe)
    return row(solver, grid_of(schedule), nfe, ending, bench(name).denoise, exact)


def tuned_row(name: str, exact: Ends, nfe: int) -> Row:
    """Of a schedule tuned to problem, solver and budget; ends at 0."""
    order, corrector, grid = tuned(name, nfe)
    denoise = bench(name).denoise
    result = solve(_velocity(order, corrector), denoise, SIGMA_MAX * exact.noise, grid)
    row = {**summary(result, exact, "B", denoise), "steps": len(grid) - 1, "levels": grid}
    return row | {"order": order, "corrector": corrector}


def _velocity(order: int, corrector: bool) -> ExponentialIntegrator:
    """The solver that `auto` is, of any order."""
    fields = {"order": order, "corrector": corrector, "sigma_data": SIGMA_DATA, "warmup": "ramp"}
    return ExponentialIntegrator(prediction="velocity", **fields)


@cache
def tuned(name: str, nfe: int) -> tuple[int, bool, list[float]]:
    """Order, corrector and levels: of the orders that suit the budget, the one whose tuned grid is best on others.

    From disk, or searched now.
    """
    problem = bench(name)
    path = cache_folder() / f"tuned-{fingerprint(problem, TUNING_ITEMS, TUNING_SEEDS[0])}.json"
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = []
    for order, corrector in TUNED_ORDERS[nfe]:
        label = f"order {order}, corrector {corrector}, {nfe} evaluations, {TUNING_SOLVES} solves"
        if label not in known:
            fit, judge = (fine(name, seed) for seed in TUNING_SEEDS)
            start = default(nfe)[1].sigmas(nfe, SIGMA_MIN, SIGMA_MAX)
            with torch.no_grad():
                best = tune(_velocity(order, corrector), *fit, start, held_out=judge, max_solves=TUNING_SOLVES)
            known[label] = [best.error, best.sigmas.tolist()]
            path.write_text(json.dumps(known, indent=0), encoding="utf-8")
        found.append((known[label][0], order, corrector, known[label][1]))
    return min(found)[1:]


@cache
def fine(name: str, seed: int) -> Trajectories:
    """Trajectories to tune on: their ends need not be exact to 1e-10, so 3,000 steps of order 5 will do."""
    problem = bench(name)
    x = SIGMA_MAX * problem.noise(TUNING_ITEMS, seed)
    solver = ExponentialIntegrator(order=5, corrector=True, prediction="velocity", sigma_data=SIGMA_DATA)
    with torch.no_grad():
        end = solver.solve(problem.denoise, x, Exponential().sigmas(3000, SIGMA_MIN / 100, SIGMA_MAX))
    return Trajectories(problem.denoise, x, end)
