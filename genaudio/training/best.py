"""The best weights of a training run by a figure that is measured on the way.

`checkpoints/best/` holds the averaged weights and a manifest: the step, the figure's name and value, a SHA-256. It is
replaced, whole or not at all, when a later step does better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from genaudio.core.errors import RunError
from genaudio.training.checkpoint import Checkpoint, load_average, read_checkpoint, write_average
from genaudio.training.model import DiffusionModel


@dataclass(frozen=True)
class PeriodicEvaluation:
    """Every `every` steps `measure(averaged model, step)` gives figures by name; the best by one of them are kept.

    `measure` draws from generators of its own, so that a run ends with the same weights with or without it.
    """

    every: int
    measure: Callable[[DiffusionModel, int], dict[str, float]]
    best_by: str
    better: Literal["lower", "higher"]


@dataclass(frozen=True)
class Best:
    """The best weights so far: after which step, and the figure that says so."""

    checkpoint: Checkpoint
    name: str
    value: float

    @property
    def step(self) -> int:
        """Steps done then."""
        return self.checkpoint.step

    def load(self, model: nn.Module) -> None:
        """Put the weights into `model`."""
        load_average(self.checkpoint, model)


def best_of(checkpoints: Path) -> Best | None:
    """The best weights that were kept below `checkpoints`, None where there are none; raises `RunError` for damage."""
    folder = checkpoints / "best"
    if not folder.exists():
        return None
    found = read_checkpoint(folder, ("ema.safetensors",))
    if not isinstance(found, Checkpoint):
        raise RunError(f"{checkpoints}: {found}", expected="the best weights as they were written")
    return Best(found, str(found.manifest["name"]), float(found.manifest["value"]))


def keep_if_best(
    checkpoints: Path, step: int, average: nn.Module, evaluation: PeriodicEvaluation, figures: dict[str, float]
) -> bool:
    """Keep the averaged weights of `step` if they are better than what is kept, or the first; whether they were."""
    value = figures[evaluation.best_by]
    try:
        before = best_of(checkpoints)
    except RunError:
        before = None  # damaged: these are the best that there are
    if before is not None and before.name == evaluation.best_by:
        gain = before.value - value if evaluation.better == "lower" else value - before.value
        if not gain > 0:
            return False
    write_average(checkpoints / "best", step, average, name=evaluation.best_by, value=value)
    return True
