"""The file of tuned schedules: grids of noise levels that were optimised for one model, with how they were found.

    {"format": 1, "model_sha256": "…", "grids": [{"nfe": 10, "num_steps": 10, "sigmas": [80.0, …, 0.0],
     "solver": {"type": …, …}, "sigma_min": 0.002, "sigma_max": 80.0, "error": 0.01, "error_before": 0.05, …}]}

Further keys of a grid are kept as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from genaudio.core.errors import GenaudioError
from genaudio.core.files import write_json

FILE_NAME = "schedules.json"  # within a model folder
FORMAT = 1
_EXPECTED = "tuned schedules as `gen tune-schedule` writes them"
_ROUNDING = 1e-9  # relative, of the ends of a grid
_MEND = "remove it and make it again with `gen tune-schedule RUN --nfe N`"


@dataclass(frozen=True)
class TunedGrid:
    """One grid: `num_steps` levels and a 0, what it was tuned for, and its error beside that of the grid before tuning.

    `solver` is the solver as a recipe writes it: its type and fields.
    """

    nfe: int
    num_steps: int
    sigmas: tuple[float, ...]
    solver: Mapping[str, Any]
    sigma_min: float
    sigma_max: float
    error: float | None = None
    error_before: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `ValueError` for what is no grid."""
        for name in ("nfe", "num_steps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}")
        if not isinstance(self.solver, Mapping) or not isinstance(self.solver.get("type"), str):
            raise ValueError(f"solver is {self.solver!r}")
        numbers = (*self.sigmas, self.sigma_min, self.sigma_max)
        if any(isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in numbers):
            raise ValueError("a noise level is not a finite number")
        falling = len(self.sigmas) == self.num_steps + 1 and all(a > b for a, b in pairwise(self.sigmas))
        if not falling or self.sigmas[-1] != 0:
            raise ValueError(f"the sigmas of {self.num_steps} steps are not that many falling levels and a 0")
        starts = math.isclose(self.sigmas[0], self.sigma_max, rel_tol=_ROUNDING)
        if not starts or self.sigmas[-2] < self.sigma_min * (1 - _ROUNDING):
            raise ValueError(f"the sigmas do not start at {self.sigma_max:g} or leave the range to {self.sigma_min:g}")

    @property
    def key(self) -> tuple[int, str]:
        """What one file holds one grid for: the budget and the solver."""
        return self.nfe, json.dumps(dict(self.solver), sort_keys=True)


@dataclass(frozen=True)
class TunedFile:
    """The contents of a file of tuned schedules; the model's weights are named by their SHA-256."""

    grids: tuple[TunedGrid, ...]
    model_sha256: str


def read_file(path: Path | str) -> TunedFile:
    """The contents of a file; raises `GenaudioError` for one that is missing or damaged."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {FORMAT}")
        return TunedFile(tuple(_grid(item) for item in data["grids"]), str(data["model_sha256"]))
    except FileNotFoundError:
        mend = "check the path, or make one with `gen tune-schedule RUN --nfe N`"
        raise GenaudioError(f"there is no file {path}", expected=_EXPECTED, mend=mend) from None
    except KeyError as error:
        raise GenaudioError(f"{path} has no {error}", expected=_EXPECTED, mend=_MEND) from None
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise GenaudioError(f"{path} cannot be used: {error}", expected=_EXPECTED, mend=_MEND) from None


def read_grids(path: Path | str) -> list[TunedGrid]:
    """The grids of a file, in the order in which they were tuned; raises `GenaudioError` as `read_file` does."""
    return list(read_file(path).grids)


def write_grids(path: Path | str, grids: Iterable[TunedGrid], model_sha256: str) -> None:
    """Add grids to a file, atomically; it is made if it is not there.

    A grid takes the place of an earlier one for the same budget and solver. What a file holds for other weights is
    dropped. Raises `GenaudioError` for a file that is there and damaged.
    """
    path = Path(path)
    before = read_file(path) if path.exists() else TunedFile((), model_sha256)
    kept: dict[tuple[int, str], TunedGrid] = {}
    for grid in (*(before.grids if before.model_sha256 == model_sha256 else ()), *grids):
        kept.pop(grid.key, None)  # so that the order is that of tuning
        kept[grid.key] = grid
    items = [{**item.pop("extra"), **item} for item in map(asdict, kept.values())]
    write_json(path, {"format": FORMAT, "model_sha256": model_sha256, "grids": items})


def _grid(item: Mapping[str, Any]) -> TunedGrid:
    known: dict[str, Any] = {key: item[key] for key in ("nfe", "num_steps", "solver", "sigma_min", "sigma_max")}
    optional: dict[str, Any] = {key: item.get(key) for key in ("error", "error_before")}
    extra = {key: value for key, value in item.items() if key not in (*known, *optional, "sigmas")}
    return TunedGrid(sigmas=tuple(item["sigmas"]), extra=extra, **known, **optional)
