"""The parts of a model as recipes write them: building a component, describing one, changing those of the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genaudio.core.component import Component
from genaudio.core.create import create_at
from genaudio.core.errors import RunError
from genaudio.core.overrides import apply_overrides
from genaudio.core.recipe_blocks import LIST_BLOCKS
from genaudio.core.registry import kind_base, suggestion

if TYPE_CHECKING:
    from genaudio.runs.model import Model

SAMPLER_KINDS = ("schedule", "solver", "guidance")

Block = Component | tuple[Component, ...] | None  # guidance may be several components


def build_block(kind: str, block: Any) -> Block:
    """A component, or a list of them, from what a recipe writes; an empty list is None."""
    if block is None:
        return None
    if kind in LIST_BLOCKS and isinstance(block, list | tuple):
        items = enumerate(block)
        return tuple(_component(kind, item, f"{kind}.{index}", f"{kind}.{index}.") for index, item in items) or None
    return _component(kind, block, kind)


def _component(kind: str, value: Any, place: str, path: str | None = None) -> Component:
    if isinstance(value, kind_base(kind)):
        return value
    given = {"type": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or "type" not in given:
        raise RunError(
            f"{place} is {value!r}", expected=f"a {kind_base(kind).__name__}, a name, or a mapping with 'type'"
        )
    fields = {key: field for key, field in given.items() if key != "type"}
    return create_at(path or f"{kind} {given['type']}: ", kind, given["type"], fields)


def describe(kind: str, block: Block) -> Any:
    """A component, or a list of them, as a recipe writes it: its type and every field."""
    from genaudio.plugins.manager import registry

    return registry().describe(kind, block)


def sampler_overrides(model: Model, texts: Sequence[str]) -> dict[str, Block]:
    """`solver=heun`, `guidance.scale=3` and the like, applied to what the model would sample with.

    Raises `GenaudioError` for anything that is not of the solver, the schedule or the guidance.
    """
    described = {kind: describe(kind, model.components[kind]) for kind in SAMPLER_KINDS}
    changed = apply_overrides(described, texts, dict.fromkeys(SAMPLER_KINDS))
    if changed.problems:
        raise RunError.of(changed.problems)
    for kind in changed.data:
        if kind not in SAMPLER_KINDS:
            raise RunError(
                f"--set {kind}",
                expected=f"a value of {', '.join(SAMPLER_KINDS)}: the rest of a trained model cannot change",
                mend=suggestion(kind, SAMPLER_KINDS),
            )
    for kind in ("solver", "schedule"):
        if changed.data[kind] is None:
            raise RunError(f"--set {kind}=null", expected=f"a {kind}: only guidance can be null")
    return {kind: build_block(kind, block) for kind, block in changed.data.items()}
