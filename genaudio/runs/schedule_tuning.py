"""Tuning the noise levels of a trained model for its solver and a budget, stored beside the weights.

The noises that the grid is tuned on and those that it is judged by come from seeds of their own, so that neither are
those of clips that anybody samples. An interrupted search is no loss: the best grid so far is judged and stored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from genaudio.core.component import Component
from genaudio.core.errors import Interrupted, RunError
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe, sampler_overrides
from genaudio.runs.model import Model
from genaudio.runs.outputs import check_place
from genaudio.runs.progress import clock
from genaudio.runs.sampling import SamplingPlan
from genaudio.runs.starts import Starts, reference_plan
from genaudio.runs.stored_grid import store_better
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.schedules.tuned_file import FILE_NAME, TunedGrid
from genaudio.samplers.tuning import RHOS, Trajectories, Tuning, tune
from genaudio.training.interrupt import StopRequest, stop_on_signal

HIGHEST_LAST = 50.0  # times sigma_min: how far up the last level may move
_JUDGED = 2 * len(RHOS) + 4  # at most: grids that are tried on the validation noises at the end


@dataclass(frozen=True)
class TuningRequest:
    """What to tune for: budgets in evaluations, labels by turns, and how much to spend on it."""

    nfe: tuple[int, ...]
    labels: tuple[str | None, ...]
    items: int  # to tune on, and as many to judge by
    reference_steps: int
    seed: int = 0
    evaluations: int | None = None  # of the network, for the search of each budget; None: as many as the grid needs
    seconds: float | None = None  # for all searches together
    move_last: bool = False  # whether the last level above 0 may rise

    def max_solves(self, plan: SamplingPlan) -> int:
        """Solves of all items that the search for a budget may take."""
        if self.evaluations is None:
            return 100 + 10 * plan.num_steps
        return self.evaluations // (self.items * cast(int, plan.evaluations))


def plans(model: Model, texts: Sequence[str], request: TuningRequest) -> dict[int, SamplingPlan]:
    """How to sample with each budget, `texts` overriding the model's sampler.

    A schedule that is itself tuned gives way to Karras', for the search to start from. Raises `GenaudioError` for a
    solver that cannot be tuned for or a budget that is too small for it, before anything is computed.
    """
    sampler: dict[str, Any] = dict(sampler_overrides(model, texts))
    if registry().name_of("schedule", cast(Component, sampler["schedule"])) == "tuned":
        sampler["schedule"] = Karras()
    found = {}
    for nfe in request.nfe:
        plan = model.plan_of(sampler, nfe=nfe)
        if plan.solver.stochastic:
            raise RunError(
                f"a schedule for {describe('solver', plan.solver)}, which draws fresh noise on the way",
                expected="a deterministic solver: only its ends can be right or wrong",
                mend="turn the noise off, or choose another with --set solver=…",
            )
        if request.max_solves(plan) < 1:
            least = request.items * cast(int, plan.evaluations)
            raise RunError(
                f"{request.evaluations} evaluations to search with for nfe {nfe}",
                expected=f"at least {least}, which one solve of {request.items} clips takes, and better 100 times that",
                mend="raise --evaluations, or leave it out",
            )
        found[nfe] = plan
    return found


def grids_file(path: Path) -> Path:
    """Where the tuned grids are stored of the model in a run directory, or in the exported folder that `path` is."""
    folder = path if (path / "model.json").exists() else path / "model"
    return folder / FILE_NAME


def tune_schedules(
    model: Model, found: Mapping[int, SamplingPlan], request: TuningRequest, path: Path, progress: Progress
) -> list[TunedGrid]:
    """Tune a grid for each budget and add each to the file at `path` as soon as it is found; returns those it then has.

    A stored grid for the same budget and solver stays where its error is smaller and measured alike (`store_better`).

    The first Ctrl-C ends the search that is under way: its best grid so far is judged and stored, then `Interrupted` is
    raised. A second one stops at once, and nothing of that budget is stored.
    """
    check_place(path)
    started = {kind: _starts(model, request, kind) for kind in ("tune", "validate")}
    _say_cost(started["tune"], found, request, progress)
    grids = []
    with stop_on_signal() as asked:
        references = _references(started, next(iter(found.values())), request, progress, asked)
        deadline = None if request.seconds is None else time.monotonic() + request.seconds
        for done, (nfe, plan) in enumerate(found.items()):
            share = None if deadline is None else (deadline - time.monotonic()) / (len(found) - done)
            tuning = _tune(started, references, nfe, plan, request, share, progress, asked)
            grid = _grid(model, started["tune"], nfe, plan, tuning, request)
            grids.append(store_better(path, grid, model.card["sha256"], progress))
            if asked:
                raise Interrupted(
                    f"stopped; {path} has the grids for nfe {', '.join(str(grid.nfe) for grid in grids)}",
                    expected=f"a search of {request.max_solves(plan)} solves; that for nfe {nfe} took {tuning.solves}",
                    mend="use it as it is, or give the same command again, which starts over",
                )
    return grids


def _starts(model: Model, request: TuningRequest, kind: Literal["tune", "validate"]) -> Starts:
    seeds = [derive_seed(request.seed, kind, index) for index in range(request.items)]
    return Starts.of(model, seeds, request.labels)


def _say_cost(starts: Starts, found: Mapping[int, SamplingPlan], request: TuningRequest, progress: Progress) -> None:
    """Tell what is about to be spent, at the most."""
    solves = {nfe: request.max_solves(plan) + _JUDGED for nfe, plan in found.items()}
    spent = sum(solves[nfe] * cast(int, plan.evaluations) for nfe, plan in found.items())
    total = request.items * (2 * request.reference_steps + spent)
    seconds = total * starts.seconds_per_evaluation(next(iter(found.values())))
    limit = "" if request.seconds is None else f", of which the searches may take {clock(request.seconds)}"
    progress.say(
        f"tune-schedule: {request.items} clips to tune on and {request.items} to judge by; at most "
        f"{total:,} evaluations of the network, about {clock(seconds)}{limit}"
    )


def _references(
    started: Mapping[str, Starts], plan: SamplingPlan, request: TuningRequest, progress: Progress, asked: StopRequest
) -> dict[str, Tensor]:
    """Where the trajectories of all items end, for tuning and for judging."""
    progress.start("reference", 2 * request.items, unit="clips")

    def told(done: float) -> None:
        progress.update(done)
        if asked:
            raise Interrupted("stopped before a search began; nothing is stored", mend="give the same command again")

    fine = reference_plan(plan, request.reference_steps)
    references = {
        kind: starts.solve(fine, lambda done, before=before: told(before + done))  # type: ignore[misc]
        for before, (kind, starts) in zip((0, request.items), started.items(), strict=True)
    }
    progress.finish()
    return references


def _tune(
    started: Mapping[str, Starts],
    references: Mapping[str, Tensor],
    nfe: int,
    plan: SamplingPlan,
    request: TuningRequest,
    seconds: float | None,
    progress: Progress,
    asked: StopRequest,
) -> Tuning:
    """The search for one budget, in at most `seconds`."""
    sigma_min, sigma_max = started["tune"].range
    start = plan.schedule.sigmas(plan.num_steps, sigma_min, sigma_max)
    device = started["tune"].model.device
    sets = {
        kind: Trajectories(starts.denoiser(plan), (starts.noise() * sigma_max).to(device), references[kind].to(device))
        for kind, starts in started.items()
    }
    deadline = None if seconds is None else time.monotonic() + seconds
    progress.start(f"nfe {nfe}", request.max_solves(plan), unit="solves")
    with torch.no_grad():
        tuning = tune(
            plan.solver,
            *sets["tune"],
            start,
            held_out=sets["validate"],
            lowest=(sigma_min, min(HIGHEST_LAST * sigma_min, sigma_max / 2)) if request.move_last else None,
            seed=derive_seed(request.seed, "search", nfe),
            max_solves=request.max_solves(plan),
            stop=lambda: bool(asked) or (deadline is not None and time.monotonic() > deadline),
            on_solve=lambda solves, error: progress.update(solves, error=f"{error:.4f}"),
        )
    progress.finish()
    return tuning


def _grid(
    model: Model, starts: Starts, nfe: int, plan: SamplingPlan, tuning: Tuning, request: TuningRequest
) -> TunedGrid:
    sigma_min, sigma_max = starts.range
    return TunedGrid(
        nfe=nfe,
        num_steps=plan.num_steps,
        sigmas=tuple(tuning.sigmas.tolist()),
        solver=cast("dict[str, Any]", describe("solver", plan.solver)),
        sigma_min=sigma_min,
        sigma_max=sigma_max,
        error=tuning.error,
        error_before=tuning.error_before,
        extra={
            "items": request.items,
            "seed": request.seed,
            "reference_steps": request.reference_steps,
            "schedule_before": describe("schedule", plan.schedule),
            "guidance": describe("guidance", plan.guidance),
            "labels": list(dict.fromkeys(starts.labels)),
            "solves": tuning.solves,
            "found": tuning.found,
        },
    )


def table(grids: Sequence[TunedGrid]) -> str:
    """The result as text: one line a budget, and what the errors are."""
    lines = [f"{'nfe':>5}{'steps':>7}{'solves':>8}{'error before':>15}{'after':>10}{'factor':>9}   found by"]
    for grid in grids:
        before, after = cast(float, grid.error_before), cast(float, grid.error)
        factor = f"{before / after:.2f}" if after > 0 else "-"
        lines.append(
            f"{grid.nfe:>5}{grid.num_steps:>7}{grid.extra['solves']:>8}{before:>15.4f}{after:>10.4f}{factor:>9}"
            f"   {grid.extra['found']}"
        )
    lines.append("error: root mean square at sigma = 0 over the clips to judge by, relative to that of the reference")
    return "\n".join(lines)
