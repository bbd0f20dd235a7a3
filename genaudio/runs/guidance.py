"""What guidance asks of the model that it guides: a condition, training without it, files that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genaudio.core.errors import RunError
from genaudio.core.recipe_checks import cross_block_problems
from genaudio.networks.conditioners.base import Conditioner
from genaudio.representations.base import Representation
from genaudio.runs.blocks import describe
from genaudio.samplers.guidance.base import Guidance, listed
from genaudio.samplers.guidance.memory_file import read_facts

if TYPE_CHECKING:
    from genaudio.runs.model import AudioFormat, Model

GuidanceBlock = Guidance | tuple[Guidance, ...] | None  # as a recipe holds it


def check_guidance(guidance: GuidanceBlock, conditioner: Conditioner | None) -> None:
    """Raise `RunError` for guidance that a model with this conditioner cannot be given."""
    problems = cross_block_problems({"guidance": guidance, "conditioner": conditioner})
    if problems:
        raise RunError.of(problems)


def without_condition(guidance: GuidanceBlock) -> GuidanceBlock:
    """What of the guidance a model without condition can be given: there is nothing to compare "null" with."""
    kept = [one for one in listed(guidance) if "null" not in one.uses]
    while kept and kept[0].follows:
        kept = kept[1:]
    if isinstance(guidance, tuple):
        return tuple(kept) or None
    return kept[0] if kept else None


def weak_paths(guidance: GuidanceBlock) -> list[str]:
    """The paths of the weak models that guidance uses, each once."""
    paths = [one.weak_model for one in listed(guidance)]
    return [path for path in dict.fromkeys(paths) if path is not None]


def check_memories(guidance: GuidanceBlock, representation: Representation, audio: AudioFormat) -> None:
    """Raise `GenaudioError` unless the training items that guidance leads away from are there, and as the model's x."""
    for path in dict.fromkeys(one.memory_file for one in listed(guidance)):
        if path is None:
            continue
        _, facts = read_facts(path)
        for what, wanted in (("representation", describe("representation", representation)), ("audio", vars(audio))):
            if facts.get(what) != wanted:
                raise RunError(
                    f"the memory {path} has the {what} {facts.get(what)}",
                    expected=f"that of the model which is guided: {wanted}",
                    mend="write it from the dataset and the representation of the model's recipe",
                )


def check_weak_model(
    path: str,
    weak: Model,
    representation: Representation,
    audio: AudioFormat,
    classes: Sequence[str],
    *,
    conditional: bool,
) -> None:
    """Raise `RunError` unless the weak model estimates the same x under the same labels."""
    for what, found, wanted in (
        ("representation", weak.components["representation"], representation),
        ("audio format", weak.audio, audio),
        ("classes", ", ".join(weak.classes) if weak.conditional else None, ", ".join(classes) if conditional else None),
    ):
        if found != wanted:
            raise RunError(
                f"the weak model {path} has the {what} {found}",
                expected=f"that of the model which it guides: {wanted}",
                mend="take a model that was trained on the same data with the same representation, such as an earlier "
                "checkpoint: gen export RUN --out DIR --checkpoint STEP",
            )
