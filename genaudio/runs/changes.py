"""What changed between the recipe that a run was started with and the one it is asked for now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STAGES = ("train", "sample", "evaluate", "audit", "report")
# What is made from the result of a stage: that stage, and those that have to be done again with it.
_FOLLOWING = {
    "train": STAGES,
    "sample": STAGES[1:],
    "evaluate": ("evaluate", "report"),
    "audit": ("audit", "report"),
    "report": ("report",),
}
# The stages that a block of the recipe, or one of its keys, matters to; what is not named matters to training.
_READ_BY: dict[str, tuple[str, ...]] = {
    "schedule": ("sample",),
    "solver": ("sample",),
    "guidance": ("sample",),
    "sampling": ("sample",),
    "embedding": ("evaluate", "audit"),
    "metric": ("evaluate",),
    "evaluation.reference": ("evaluate",),
    "evaluation.reference_clips": ("evaluate",),
    "evaluation.keep": (),  # these choose among weights that are there: see `choice`
    "evaluation.best_by": (),
    "audit": ("audit",),
    "report": ("report",),
    "name": ("audit", "report"),
}
# Training goes on from its checkpoints through a change of these: they move no weight of a step.
_HARMLESS = (
    "device",
    "training.workers",
    "training.log_every",
    "training.checkpoint_every",
    "training.keep_checkpoints",
)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Every path whose value differs, with the value before and after; a missing one is None."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    paths = list(dict.fromkeys([*old, *new]))
    return {path: (old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)}


def affected_stages(
    changes: Mapping[str, tuple[Any, Any]], constant_rate: bool, *, screened: bool = False, choice: bool = False
) -> tuple[str, ...]:
    """The stages that have to be done again.

    `constant_rate` says whether more steps merely continue the training, `screened` whether samples are screened for
    copies, by the settings of the audit, `choice` whether it is decided otherwise which weights become the model.
    """
    read_by = ["sample"] if choice else []
    for path, (old, new) in changes.items():
        if path in _HARMLESS:
            continue
        if path == "training.steps" and constant_rate and new > old:
            read_by.append("sample")
            continue
        block = path.split(".")[0]
        if screened and block == "audit" and path != "audit.enabled":
            read_by.append("sample")
        read_by += _READ_BY.get(path, _READ_BY.get(block, ("train",)))
    return with_following(read_by)


def with_following(stages: Iterable[str]) -> tuple[str, ...]:
    """The stages and those that work with what they made, in order."""
    again = {following for stage in stages for following in _FOLLOWING[stage]}
    return tuple(stage for stage in STAGES if stage in again)


def continues_training(changes: Mapping[str, tuple[Any, Any]]) -> bool:
    """Whether the training stage itself has more steps to do."""
    old, new = changes.get("training.steps", (0, 0))
    return bool(new > old)


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        value = {str(number): item for number, item in enumerate(value)}  # components, told apart by their places
    if isinstance(value, Mapping) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, list(value) if isinstance(value, tuple) else value)]
