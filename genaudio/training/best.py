"""The best weights of a training run by a figure that is measured on the way.

`checkpoints/best/` holds the averaged weights and a manifest: the step, the figure's name and value, what it was
measured by, a SHA-256. It is replaced, whole or not at all, when a later step does better. Figures that were not
measured alike are never compared: where that changed, what is left of the weights is measured again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from genaudio.core.errors import RunError
from genaudio.training.checkpoint import Checkpoint, load_average, read_checkpoint, whole_checkpoints, write_average
from genaudio.training.model import DiffusionModel


@dataclass(frozen=True)
class PeriodicEvaluation:
    """Every `every` steps `measure(averaged model, step)` gives figures by name; the best by one of them are kept.

    `measure` draws from generators of its own, so that a run ends with the same weights with or without it. A figure
    that it could not find is not among its results; where that is `best_by`, nothing is chosen.
    `measured_by`, as JSON has it, is all that the figure `best_by` depends on beside the weights.
    """

    every: int
    measure: Callable[[DiffusionModel, int], dict[str, float]]
    best_by: str
    better: Literal["lower", "higher"]
    measured_by: Mapping[str, Any] = field(default_factory=dict)

    def prefers(self, value: float, other: float) -> bool:
        """Whether the first value is the better one."""
        return value < other if self.better == "lower" else value > other


@dataclass(frozen=True)
class Best:
    """The best weights so far: after which step, and the figure that says so."""

    checkpoint: Checkpoint
    name: str
    value: float
    measured_by: Mapping[str, Any]

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
    facts = found.manifest
    return Best(found, str(facts["name"]), float(facts["value"]), facts.get("measured_by", {}))


def keep_if_best(
    checkpoints: Path, step: int, average: nn.Module, evaluation: PeriodicEvaluation, figures: dict[str, float]
) -> bool:
    """Keep the averaged weights of `step` if they are better than what is kept, or the first; whether they were."""
    value = figures.get(evaluation.best_by, math.nan)
    if not math.isfinite(value):
        return False
    before = _kept(checkpoints)
    if before is not None and not _differences(before, evaluation) and not evaluation.prefers(value, before.value):
        return False
    _keep(checkpoints, step, average, evaluation, value)
    return True


@dataclass(frozen=True)
class Leftovers:
    """Weights that figures chose which were measured otherwise than they are now: what is different, what is left."""

    differences: tuple[str, ...]
    weights: tuple[Checkpoint, ...]

    def choose(
        self, checkpoints: Path, model: nn.Module, evaluation: PeriodicEvaluation, values: Mapping[int, float]
    ) -> int | None:
        """Keep the best by the new figure of each, by its step, in place of the one before; returns that step.

        `model` has its weights afterwards. None, and nothing is changed, if there is no figure of any.
        """
        measured = [one for one in self.weights if one.step in values]
        if not measured:
            return None
        best, *others = measured
        for other in others:
            if evaluation.prefers(values[other.step], values[best.step]):
                best = other
        load_average(best, model)
        _keep(checkpoints, best.step, model, evaluation, values[best.step])
        return best.step


def leftovers(checkpoints: Path, evaluation: PeriodicEvaluation, due: Callable[[int], bool]) -> Leftovers | None:
    """What is left of weights that were measured otherwise; None where nothing was.

    That is the best by those figures, and the checkpoints of the steps that are `due` to be measured.
    """
    before = _kept(checkpoints)
    if before is None:
        return None
    different = _differences(before, evaluation)
    if not different:
        return None
    others = {one.step: one for one in whole_checkpoints(checkpoints) if due(one.step)}
    weights = {**others, before.step: before.checkpoint}
    return Leftovers(different, tuple(weights[step] for step in sorted(weights)))


def _kept(checkpoints: Path) -> Best | None:
    try:
        return best_of(checkpoints)
    except RunError:
        return None  # damaged: the next ones are the best that there are


def _keep(checkpoints: Path, step: int, average: nn.Module, evaluation: PeriodicEvaluation, value: float) -> None:
    facts = {"name": evaluation.best_by, "value": value, "measured_by": dict(evaluation.measured_by)}
    write_average(checkpoints / "best", step, average, **facts)


def _differences(best: Best, evaluation: PeriodicEvaluation) -> tuple[str, ...]:
    """What is not as it was when the best was chosen: `metric`, `embedding`, and so on."""
    if best.name != evaluation.best_by and best.measured_by == evaluation.measured_by:
        return ("metric",)
    keys = dict.fromkeys([*best.measured_by, *evaluation.measured_by])
    return tuple(key for key in keys if best.measured_by.get(key) != evaluation.measured_by.get(key))
