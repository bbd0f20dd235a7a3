"""A benchmark of samplers on a trained model: how far from the exact solution each ends, and what a metric says of it.

Every cell (a solver, its grid of noise levels) is written to its own file as it is finished, so that an interrupted
benchmark goes on, and one with further samplers in the same folder computes those alone.

Shapes: x (items, features, freq, time); waveform (items, channels, time).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import genaudio
from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.core.files import atomic_file, write_json
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.log_spectral_distance import log_spectral_distance
from genaudio.evaluation.measuring import embed, measure
from genaudio.evaluation.metrics.base import Metric
from genaudio.plugins.manager import registry
from genaudio.runs.model import Model, describe
from genaudio.runs.progress import clock
from genaudio.runs.real_clips import real_clips
from genaudio.runs.sampling import SamplingPlan
from genaudio.runs.starts import Starts, reference_plan

FORMAT = 1
_REQUEST, _REFERENCE, _CELLS = "request.json", "reference.safetensors", "cells"


@dataclass(frozen=True)
class BenchmarkRequest:
    """What to compare, and on which clips."""

    solvers: Mapping[str, Component]  # by the names that tables show
    schedules: Mapping[str, Component]
    nfe: tuple[int, ...]
    labels: tuple[str | None, ...]
    items: int
    reference_steps: int
    seed: int
    metrics: Mapping[str, Metric]
    embedding: Embedding


@dataclass(frozen=True)
class _Cell:
    """One place of the table: its sampler and budget, and the plan, or why there is none."""

    solver: str
    schedule: str
    nfe: int
    plan: SamplingPlan | None
    sigmas: tuple[float, ...]
    note: str | None

    @property
    def key(self) -> str:
        """A name for what is computed: equal solvers on equal levels share it, whatever they are called."""
        described = describe("solver", cast(SamplingPlan, self.plan).solver)
        return hashlib.sha256(json.dumps([described, self.sigmas], sort_keys=True).encode()).hexdigest()[:20]


class _Judge:
    """Measures ends of trajectories against the reference's, and their clips against real ones if there are any."""

    def __init__(self, request: BenchmarkRequest, starts: Starts, reference: Tensor, real: Tensor | None) -> None:
        self._request, self._starts, self._reference = request, starts, reference
        self._rate = starts.model.sample_rate
        self._waveform = starts.decode(reference)
        self._real = None if real is None else embed(request.embedding, real, self._rate)
        self.notes: list[str] = []
        self.cards: dict[str, Any] = {}
        self.reference_metrics = self._metrics(self._waveform)

    def __call__(self, ends: Tensor, *, comparable: bool) -> dict[str, Any]:
        """The numbers of a cell; without errors where the ends are not `comparable` (a stochastic solver's)."""
        if not bool(ends.isfinite().all()):
            return {"note": "its clips are not finite"}
        waveform = self._starts.decode(ends)
        found: dict[str, Any] = {"metrics": self._metrics(waveform)}
        if comparable:
            size = self._reference.double().square().mean().sqrt()
            each = (ends.double() - self._reference.double()).flatten(1).square().mean(1).sqrt() / size
            distance = log_spectral_distance(waveform, self._waveform, self._rate)
            found |= {
                "error_rms": float(each.square().mean().sqrt()),
                "error_median": float(each.median()),
                "log_spectral_distance_db": float(distance.mean()),
            }
        else:
            found["note"] = "it draws fresh noise, so its ends are not those of the reference"
        return found

    def _metrics(self, waveform: Tensor) -> dict[str, Any]:
        """Values and intervals by name; a metric that cannot be computed is noted and left out."""
        if self._real is None:
            return {}
        embedding = self._request.embedding
        features = embed(embedding, waveform, self._rate)
        values: dict[str, Any] = {}
        for name, metric in self._request.metrics.items():
            try:
                found = measure(metric, embedding, _type("embedding", embedding), features, self._real, self._rate)
            except GenaudioError as error:
                note = f"{name} is left out: {error.problems[0].given}"
                self.notes += [note] if note not in self.notes else []
                continue
            values[name] = {"value": found.value, "interval": list(found.interval)}
            self.cards[name] = {"metric": _type("metric", metric), **found.card}
        return values


def _type(kind: str, component: Component) -> str:
    return registry().name_of(kind, component)


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
    cells = _cells(model, request)
    planned = [cell for cell in cells if cell.plan is not None]
    if not planned:
        raise RunError(
            "no sampler that fits any of the budgets",
            expected="at least one",
            mend="; ".join(dict.fromkeys(str(cell.note) for cell in cells)),
        )
    fine = reference_plan(cast(SamplingPlan, planned[0].plan), request.reference_steps)
    real, notes = _real(model, run, request)
    settings = _settings(model, request, fine, 0 if real is None else len(real))
    _settle(folder, settings)
    path = folder / _CELLS
    missing = {cell.key: cell for cell in planned if not _whole(path / f"{cell.key}.json")}
    _say_cost(starts, fine, list(missing.values()), (folder / _REFERENCE).exists(), progress)
    try:
        reference = _reference(starts, fine, folder / _REFERENCE, progress)
        judge = _Judge(request, starts, reference, real)
        work = [(cell, cell.plan.num_steps * request.items) for cell in missing.values() if cell.plan]
        progress.start("bench", sum(steps for _, steps in work), unit="steps")
        before = 0
        for cell, steps in work:
            told = _teller(progress, before, steps / request.items, cell)
            plan = cast(SamplingPlan, cell.plan)
            found = judge(starts.solve(plan, told), comparable=not plan.solver.stochastic)
            write_json(path / f"{cell.key}.json", found)
            before += steps
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
        "cells": [_row(cell, path) for cell in cells],
    }


def _cells(model: Model, request: BenchmarkRequest) -> list[_Cell]:
    """All places of the table; one whose budget does not suffice, or whose schedule has no such grid, with a note."""
    cells = []
    for solver_name, solver in request.solvers.items():
        for schedule_name, schedule in request.schedules.items():
            for nfe in request.nfe:
                plan, sigmas, note = None, (), None
                try:
                    plan = model.plan(solver=solver, schedule=schedule, nfe=nfe)  # type: ignore[arg-type]
                    preconditioner = model.generator().preconditioner
                    levels = plan.schedule.sigmas(plan.num_steps, preconditioner.sigma_min, preconditioner.sigma_max)
                    sigmas = tuple(levels.tolist())
                except GenaudioError as error:
                    problem = error.problems[0]
                    plan, note = None, f"{problem.given}, expected {problem.expected}"
                cells.append(_Cell(solver_name, schedule_name, nfe, plan, sigmas, note))
    return cells


def _row(cell: _Cell, path: Path) -> dict[str, Any]:
    """A cell as the results hold it: every key, null where there is nothing."""
    empty = dict.fromkeys(("error_rms", "error_median", "log_spectral_distance_db"))
    row: dict[str, Any] = {
        "solver": cell.solver,
        "schedule": cell.schedule,
        "nfe": cell.nfe,
        "num_steps": cell.plan and cell.plan.num_steps,
        "evaluations": cell.plan and cell.plan.evaluations,
        **empty,
        "metrics": {},
        "note": cell.note,
    }
    if cell.plan is not None:
        row |= json.loads((path / f"{cell.key}.json").read_text(encoding="utf-8"))
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


def _teller(progress: Progress, before: float, steps: float, cell: _Cell) -> Callable[[float], None]:
    return lambda items: progress.update(before + items * steps, sampler=f"{cell.solver}, {cell.schedule}, {cell.nfe}")


def _say_cost(
    starts: Starts, fine: SamplingPlan, missing: Sequence[_Cell], has_reference: bool, progress: Progress
) -> None:
    """Tell what is about to be spent."""
    counts = [cell.plan.evaluations or cell.nfe for cell in missing if cell.plan]
    if not counts:
        progress.say("bench-samplers: every cell is there")
        return
    total = len(starts.seeds) * (sum(counts) + (0 if has_reference else fine.evaluations or 0))
    seconds = total * starts.seconds_per_evaluation(fine)
    progress.say(
        f"bench-samplers: {len(counts)} cells of {len(starts.seeds)} clips; {total:,} evaluations of the network, "
        f"about {clock(seconds)}"
    )
