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
from typing import Any, NamedTuple

import torch
from grids import GRIDS, levels
from peers import STOPS, Counted, Row, gaussian, key, summary
from problems import SIGMA_DATA, SIGMA_MAX, SIGMA_MIN, bench
from reference import Ends, cache_folder, fingerprint, item_errors
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
from genaudio.samplers.schedules.sinh import Sinh
from genaudio.samplers.tuning import Trajectories, tune
from genaudio.samplers.unipc import UniPC

DEFAULT, TUNED = "default", "tuned"
TUNING_SEEDS = (101, 102, 103)  # of trajectories: to fit to, to choose a grid by, and to choose a setting by
CHOICE_BLOCKS = 16  # of noises to choose a setting by
TUNING_SOLVES = {5: 1000, 8: 1300, 10: 1500, 15: 500, 20: 500}  # of a search
LOWEST = (SIGMA_MIN, 0.3)  # of the last level above 0
# Noises to tune on. Of each block the fragile ones are kept, and some that stand for the rest of all blocks.
BLOCKS, BLOCK, FRAGILE, OTHERS = 64, 256, 12, 4


START = Sinh(centre=1.0, width_above=0.4, width_below=1.5, sigma_data=SIGMA_DATA)
PROBE = ExponentialIntegrator(order=3, corrector=True, prediction="velocity", basis="angle", sigma_data=SIGMA_DATA)


class Setting(NamedTuple):
    """A solver of the family that `auto` is of, to tune a grid for; `scale` is of its sigma_data, in the data's."""

    order: int
    corrector: bool
    scale: float
    basis: str = "log_sigma"

    def solver(self) -> ExponentialIntegrator:
        """The one that these fields describe."""
        fields = {"order": self.order, "corrector": self.corrector, "basis": self.basis, "warmup": "ramp"}
        return ExponentialIntegrator(prediction="velocity", sigma_data=self.scale * SIGMA_DATA, **fields)


TUNED_SETTINGS = {  # what is tried at a budget
    5: (
        Setting(3, False, 1.45, "angle"),
        Setting(2, False, 2),
        Setting(2, True, 1),
        Setting(3, True, 0.5),
        Setting(2, True, 4),
        Setting(3, False, 1.8, "angle"),
        Setting(4, False, 2.3, "angle"),
        Setting(4, False, 1.6, "angle"),
    ),
    8: (
        Setting(3, True, 1.5, "angle"),
        Setting(2, True, 1),
        Setting(3, True, 1),
        Setting(2, True, 4),
        Setting(4, True, 0.5),
    ),
    10: (Setting(3, True, 1.5, "angle"), Setting(4, True, 0.5), Setting(2, True, 4), Setting(3, True, 1)),
    15: (Setting(4, True, 1, "angle"),),
    20: (Setting(4, True, 1, "angle"), Setting(5, True, 1, "angle"), Setting(4, True, 0.5)),
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


def default(nfe: int, dimensions: int | None = None) -> tuple[Solver, Schedule]:
    """What a recipe gets that names neither."""
    return Auto().fitted(SIGMA_DATA, nfe, dimensions), AutoSchedule().fitted(SIGMA_DATA, nfe, dimensions)


def grid_of(schedule: Schedule) -> Grid:
    """The levels of a schedule; for ending A those down to sigma_min, the last step to it where others step to 0."""

    def grid(steps: int, ending: str) -> list[float]:
        to_zero: list[float] = schedule.sigmas(steps, SIGMA_MIN, SIGMA_MAX).tolist()
        if ending == "B":
            return to_zero
        if steps > 1 and to_zero[-2] > SIGMA_MIN:
            return [*to_zero[:-1], SIGMA_MIN]
        return schedule.sigmas(steps + 1, SIGMA_MIN, SIGMA_MAX)[:-1].tolist()

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


def default_row(name: str, exact: Ends, nfe: int, ending: str, dimensions: int | None = None) -> Row:
    """The default's cell, as for items of so many numbers (None: few)."""
    solver, schedule = default(nfe, dimensions)
    return row(solver, grid_of(schedule), nfe, ending, bench(name).denoise, exact)


def tuned_row(name: str, exact: Ends, nfe: int) -> Row:
    """Of a schedule tuned to problem, solver and budget; ends at 0."""
    setting, grid = tuned(name, nfe)
    denoise = bench(name).denoise
    result = solve(setting.solver(), denoise, SIGMA_MAX * exact.noise, grid)
    row = {**summary(result, exact, "B", denoise), "steps": len(grid) - 1, "levels": grid}
    return row | {"solver": setting._asdict()}


@cache
def tuned(name: str, nfe: int) -> tuple[Setting, list[float]]:
    """Of the settings that suit the budget the one whose tuned grid is best on yet other noises, and that grid.

    From disk, or searched now. Grids are searched on chosen items (`fragile`), the choice is made on whole blocks.
    """
    path = cache_folder() / f"tuned-{fingerprint(bench(name), BLOCK, TUNING_SEEDS[0])}.json"
    found = []
    for setting in TUNED_SETTINGS[nfe]:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        most = TUNING_SOLVES[nfe]
        label = f"{setting}, {nfe} evaluations, {most} solves, {LOWEST}, {BLOCKS, BLOCK, FRAGILE, OTHERS}"
        if label not in known:
            fit, judge = (fragile(name, seed) for seed in TUNING_SEEDS[:2])
            start = START.sigmas(nfe, SIGMA_MIN, SIGMA_MAX)
            fields = {"measure": block_error, "lowest": LOWEST, "max_solves": most}
            with torch.no_grad():
                best = tune(setting.solver(), *fit, start, held_out=judge, **fields)
            known[label] = [best.error, best.sigmas.tolist()]
            path.write_text(json.dumps(known, indent=0), encoding="utf-8")
        found.append((setting, known[label][1]))
    return min(found, key=lambda one: whole_blocks_error(name, *one))


def whole_blocks_error(name: str, setting: Setting, grid: list[float]) -> float:
    """The geometric mean over whole blocks of the root mean square error of their items."""
    problem, solver = bench(name), setting.solver()
    errors = [item_errors(solve(solver, problem.denoise, x, grid), end) for x, end in whole_blocks(name)]
    return float(torch.stack([each.square().mean().log() for each in errors]).mean().div(2).exp())


@cache
def whole_blocks(name: str) -> list[tuple[Tensor, Tensor]]:
    """Blocks of items, and where their trajectories end."""
    problem = bench(name)
    x = SIGMA_MAX * problem.noise(CHOICE_BLOCKS * BLOCK, TUNING_SEEDS[2])
    solver = ExponentialIntegrator(order=5, corrector=True, prediction="velocity", sigma_data=SIGMA_DATA)
    sigmas = Exponential().sigmas(500, SIGMA_MIN / 100, SIGMA_MAX)
    with torch.no_grad():
        return [(part, solver.solve(problem.denoise, part, sigmas)) for part in x.split(BLOCK)]


@cache
def fragile(name: str, seed: int) -> Trajectories:
    """Trajectories to tune on: `OTHERS` items of each block, block by block, then the `FRAGILE` ones of each.

    Fragile are those that move most between 10 and 40 evaluations of a solver: they end near the border between two
    modes, and a schedule that is a little worse there sends some of them to the other side. Ends need not be exact to
    1e-10, so 500 steps of order 5 will do.
    """
    problem = bench(name)
    x = SIGMA_MAX * problem.noise(BLOCKS * BLOCK, seed)
    kept: list[list[Tensor]] = [[], []]
    with torch.no_grad():
        for block in x.split(BLOCK):
            ends = [solve(PROBE, problem.denoise, block, grid_of(START)(nfe, "B")) for nfe in (10, 40)]
            order = item_errors(*ends).argsort(descending=True)
            kept[0].append(block[order[FRAGILE:].sort().values[:OTHERS]])
            kept[1].append(block[order[:FRAGILE]])
        x = torch.cat([*kept[0], *kept[1]])
        solver = ExponentialIntegrator(order=5, corrector=True, prediction="velocity", sigma_data=SIGMA_DATA)
        sigmas = Exponential().sigmas(500, SIGMA_MIN / 100, SIGMA_MAX)
        reference = torch.cat([solver.solve(problem.denoise, part, sigmas) for part in x.split(BLOCK)])
    return Trajectories(problem.denoise, x, reference)


def block_error(each: Tensor) -> float:
    """Of items' errors in the order of `fragile`: the geometric mean over blocks of the root mean square."""
    square = each.square()
    others, fragile = square[: BLOCKS * OTHERS].mean(), square[BLOCKS * OTHERS :].view(BLOCKS, FRAGILE).sum(1)
    return float((((BLOCK - FRAGILE) * others + fragile) / BLOCK).log().mean().div(2).exp())
