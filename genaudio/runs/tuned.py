"""The grids of noise levels that were tuned for a trained model, kept in its folder as `schedules.json`."""

from __future__ import annotations

from pathlib import Path

from genaudio.core.errors import RunError
from genaudio.plugins.manager import registry
from genaudio.samplers.base import Solver
from genaudio.samplers.schedules.base import Schedule
from genaudio.samplers.schedules.tuned import AUTO, Tuned
from genaudio.samplers.schedules.tuned_file import FILE_NAME, read_file


def is_open(schedule: Schedule) -> bool:
    """Whether a schedule is a `tuned` one that leaves its grids to the model it will be used with."""
    return isinstance(schedule, Tuned) and schedule.path == AUTO


def schedule_of_model(schedule: Schedule, solver: Solver, folder: Path | None, sha256: str) -> Schedule:
    """`schedule` for the model in `folder` with weights of that SHA-256: a `tuned` one gets its file and its solver.

    Raises `RunError` where the path is auto and the folder has no grids, or they are of other weights.
    """
    if not isinstance(schedule, Tuned):
        return schedule
    preferred = schedule.solver or registry().name_of("solver", solver)
    if not is_open(schedule):
        return schedule.model_copy(update={"solver": preferred})
    expected = "grids of noise levels that were tuned for this model"
    tune = f"`gen tune-schedule {_run(folder)} --nfe N`"
    path = None if folder is None else folder / FILE_NAME
    if path is None or not path.exists():
        raise RunError(
            "a tuned schedule, but " + ("the model is in memory alone" if path is None else f"there is no {path}"),
            expected=expected,
            mend=f"make them with {tune}, or choose another schedule (schedule=karras)",
        )
    if read_file(path).model_sha256 != sha256:
        raise RunError(f"{path} was tuned for other weights", expected=expected, mend=f"tune again with {tune}")
    return schedule.model_copy(update={"path": str(path), "solver": preferred})


def _run(folder: Path | None) -> Path | str:
    """What a user calls the model: its run directory, or the folder that it was exported to."""
    return "RUN" if folder is None else folder.parent if folder.name == "model" else folder
