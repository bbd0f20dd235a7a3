"""A benchmark of samplers on a trained model: how far from the exact solution each ends, and what a metric says of it.

Every cell (a solver, its grid of noise levels) is written to its own file as it is finished, so that an interrupted
benchmark goes on, and one with further samplers in the same folder computes those alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import genaudio
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.core.files import atomic_file, write_json
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.metrics.base import Metric
from genaudio.runs.benchmark_judge import Judge
from genaudio.runs.blocks import describe
from genaudio.runs.model import Model
from genaudio.runs.progress import clock
from genaudio.runs.real_clips import real_clips
from genaudio.runs.sampling import SamplingPlan
from genaudio.runs.starts import Starts, reference_plan
from genaudio.samplers.base import Solver
from genaudio.samplers.schedules.base import Schedule

FORMAT = 1
_REQUEST, _REFERENCE, _CELLS = "request.json", "reference.safetensors", "cells"


@dataclass(frozen=True)
class BenchmarkRequest:
    """What to compare, and on which clips."""

    solvers: Mapping[str, Solver]  # by the names that tables show
    schedules: Mapping[str, Schedule]
    nfe: tuple[int, ...]
    labels: tuple[str | None, ...]
    items: int
    reference_steps: int
    seed: int
    metrics: Mapping[str, Metric]
    embedding: Embedding


@dataclass(frozen=True)
class _Cell:
    """What is computed: a plan, under a name that depends on its solver and its levels alone."""

    plan: SamplingPlan
    key: str


@dataclass(frozen=True)
class _Place:
    """A place of the table, and its cell, or a note on why there is none. Places may share a cell."""

    solver: str
    schedule: str
    nfe: int
    cell: _Cell | None
    note: str | None


def run_benchmark(
    model: Model, run: Path, request: BenchmarkRequest, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Compute every cell that `folder` does not hold yet, and return what `results.json` will hold.

    `run` is where the model is from; its recipe names the real clips. Raises `RunError` if the folder holds another
    benchmark's cells, and `Interrupted` after Ctrl-C.
    """
    starts = Starts.of(
        model, [derive_seed(request.seed, "item", index) for index in range(request.items)], request.labels
    )
    places = _places(model, request)
    cells = {place.cell.key: place.cell for place in places if place.cell is not None}
    if not cells:
        raise RunError(
            "no sampler that fits any of the budgets",
            expected="at least one",
            mend="; ".join(dict.fromkeys(str(place.note) for place in places)),
        )
    fine = reference_plan(next(iter(cells.values())).plan, request.reference_steps)
    real, notes = _real(model, run, request)
    settings = _settings(model, request, fine, 0 if real is None else len(real))
    _settle(folder, settings)
    path = folder / _CELLS
    missing = [cell for cell in cells.values() if not _whole(path / f"{cell.key}.json")]
    _say_cost(starts, fine, [cell.plan for cell in missing], (folder / _REFERENCE).exists(), progress)
    try:
        reference = _reference(starts, fine, folder / _REFERENCE, progress)
        judge = Judge(starts, reference, real, request.metrics, request.embedding)
        progress.start("bench", request.items * sum(cell.plan.num_steps for cell in missing), unit="steps")
        before = 0
        for cell in missing:
            ends = starts.solve(cell.plan, _teller(progress, before, cell.plan))
            write_json(path / f"{cell.key}.json", judge(ends, comparable=not cell.plan.solver.stochastic))
            before += request.items * cell.plan.num_steps
        progress.finish()
    except KeyboardInterrupt:
        progress.finish()
        raise Interrupted(f"stopped; what is finished is in {folder}", mend="go on with the same command") from None
    return {
        "format": FORMAT,
        "genaudio": genaudio.__version__,
        **settings,
        "reference": {
            "num_steps": fine.num_steps,
            "solver": describe("solver", fine.solver),
            "schedule": describe("schedule", fine.schedule),
            "metrics": judge.reference_metrics,
        },
        "metric_cards": judge.cards,
        "notes": [*notes, *judge.notes],
        "cells": [_row(place, path) for place in places],
    }


def _places(model: Model, request: BenchmarkRequest) -> list[_Place]:
    """All places of the table; without a cell where the budget does not suffice or the schedule has no such grid."""
    places = []
    for solver_name, solver in request.solvers.items():
        for schedule_name, schedule in request.schedules.items():
            for nfe in request.nfe:
                cell, note = None, None
                try:
                    cell = _cell(model, model.plan(solver=solver, schedule=schedule, nfe=nfe))
                except GenaudioError as error:
                    problem = error.problems[0]
                    note = f"{problem.given}, expected {problem.expected}"
                places.append(_Place(solver_name, schedule_name, nfe, cell, note))
    return places


def _cell(model: Model, plan: SamplingPlan) -> _Cell:
    preconditioner = model.generator().preconditioner
    levels = plan.schedule.sigmas(plan.num_steps, preconditioner.sigma_min, preconditioner.sigma_max)
    computed = json.dumps([describe("solver", plan.solver), levels.tolist()], sort_keys=True)
    return _Cell(plan, hashlib.sha256(computed.encode()).hexdigest()[:20])


def _row(place: _Place, path: Path) -> dict[str, Any]:
    """A place as the results hold it: every key, null where there is nothing."""
    row: dict[str, Any] = {
        "solver": place.solver,
        "schedule": place.schedule,
        "nfe": place.nfe,
        "num_steps": None,
        "evaluations": None,
        "error_rms": None,
        "error_median": None,
        "log_spectral_distance_db": None,
        "metrics": {},
        "note": place.note,
    }
    if place.cell is None:
        return row
    row |= {"num_steps": place.cell.plan.num_steps, "evaluations": place.cell.plan.evaluations}
    row |= json.loads((path / f"{place.cell.key}.json").read_text(encoding="utf-8"))
    return row


def _real(model: Model, run: Path, request: BenchmarkRequest) -> tuple[Tensor | None, list[str]]:
    """The real clips that metrics compare with, or None and why there are none."""
    if not request.metrics:
        return None, []
    try:
        return real_clips(run, model, request.labels, request.seed), []
    except GenaudioError as error:
        return None, [f"metrics are left out, for want of real clips: {error.problems[0].given}"]


def _settings(model: Model, request: BenchmarkRequest, fine: SamplingPlan, real_clips: int) -> dict[str, Any]:
    """What all cells of a folder have in common, as plain data."""
    settings = {
        "model": {key: model.card[key] for key in ("name", "step", "sha256")},
        "precision": model.card["precision"],
        "device": model.device.type,
        "guidance": describe("guidance", fine.guidance),
        "labels": list(request.labels),
        "items": request.items,
        "seed": request.seed,
        "reference_steps": request.reference_steps,
        "metrics": {name: describe("metric", metric) for name, metric in request.metrics.items()},
        "embedding": describe("embedding", request.embedding),
        "real_clips": real_clips,
    }
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def _settle(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder, or see that what it holds was computed alike."""
    path = folder / _REQUEST
    if folder.exists() and not path.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"{folder} is there and holds no benchmark", expected="a new or empty folder", mend="choose another --out"
        )
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        changed = [key for key in settings if before.get(key) != settings[key]]
        if changed:
            raise RunError(
                f"{folder} holds a benchmark with another {', '.join(changed)}",
                expected="the same clips, reference and metrics in one folder; samplers and budgets may differ",
                mend="choose another --out, or remove the folder",
            )
    write_json(path, settings)


def _reference(starts: Starts, fine: SamplingPlan, path: Path, progress: Progress) -> Tensor:
    """The ends that count as exact, computed once for a folder."""
    try:
        ends = load_file(path)["x"]
        if len(ends) == len(starts.seeds):
            return ends
    except (OSError, SafetensorError, KeyError):
        pass  # not computed yet, or damaged: computed again
    progress.start("reference", len(starts.seeds), unit="clips")
    ends = starts.solve(fine, progress.update)
    progress.finish()
    if not bool(ends.isfinite().all()):
        raise RunError(
            "the reference is not finite",
            expected="finite clips",
            mend="lower the guidance scale if there is one; else the model may have diverged",
        )
    with atomic_file(path) as partial:
        save_file({"x": ends.contiguous()}, partial)
    return ends


def _whole(path: Path) -> bool:
    """Whether a cell has been computed."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _teller(progress: Progress, before: int, plan: SamplingPlan) -> Callable[[float], None]:
    sampler = f"{type(plan.solver).__name__}, {plan.num_steps} steps"
    return lambda items: progress.update(before + items * plan.num_steps, sampler=sampler)


def _say_cost(
    starts: Starts, fine: SamplingPlan, missing: Sequence[SamplingPlan], has_reference: bool, progress: Progress
) -> None:
    """Tell what is about to be spent."""
    if not missing:
        progress.say("bench-samplers: every cell is there")
        return
    plans = [*missing, *([] if has_reference else [fine])]
    total = len(starts.seeds) * sum(plan.evaluations or plan.num_steps for plan in plans)
    seconds = total * starts.seconds_per_evaluation(fine)
    progress.say(
        f"bench-samplers: {len(missing)} cells of {len(starts.seeds)} clips; {total:,} evaluations of the network, "
        f"about {clock(seconds)}"
    )
