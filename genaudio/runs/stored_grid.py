"""The grid that a file of tuned schedules has already for a budget and a solver, and a new one: the better stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genaudio.core.progress import Progress
from genaudio.samplers.schedules.tuned_file import TunedGrid, read_file, write_grids

# What the error of a grid depends on beside its levels, of those for one budget and solver: the clips that it is judged
# by, and what counts as exact.
_CONDITIONS = ("items", "seed", "labels", "guidance", "reference_steps")


def store_better(path: Path, grid: TunedGrid, model_sha256: str, progress: Progress) -> TunedGrid:
    """Put a grid into the file at `path` unless its like there has a smaller error; returns the one that is there then.

    Where the errors do not compare the new grid takes the place, which is said, as it is said if the stored one stays.
    """
    stored = _stored(path, grid, model_sha256)
    if stored is not None:
        different = list(_differences(stored, grid))
        if different:
            progress.say(
                f"note: nfe {grid.nfe}: the grid that was stored is replaced; its error was measured otherwise "
                f"({', '.join(different)}) and does not compare"
            )
        elif stored.error < grid.error:  # type: ignore[operator]  # numbers, for nothing is different
            progress.say(
                f"nfe {grid.nfe}: the stored grid stays, its error is {stored.error:.4g}; that of the new one is "
                f"{grid.error:.4g}"
            )
            return stored
    write_grids(path, [grid], model_sha256)
    return grid


def _stored(path: Path, grid: TunedGrid, model_sha256: str) -> TunedGrid | None:
    """What the file holds for the grid's budget and solver, of these weights."""
    if not path.exists():
        return None
    file = read_file(path)
    found = [one for one in file.grids if one.key == grid.key]
    return found[0] if found and file.model_sha256 == model_sha256 else None


def _differences(stored: TunedGrid, grid: TunedGrid) -> Iterator[str]:
    """Why the errors of two grids do not compare."""

    def facts(one: TunedGrid) -> dict[str, Any]:
        range_ = (one.sigma_min, one.sigma_max)
        return {"steps": one.num_steps, "range": range_, **{key: one.extra.get(key) for key in _CONDITIONS}}

    ours, theirs = facts(grid), facts(stored)
    yield from (name.replace("_", " ") for name in ours if ours[name] != theirs[name])
    if stored.error is None or grid.error is None:
        yield "no error"
