"""The component blocks of a recipe: which there are, and from what is written in one to the component.

A block is `{type: name, …fields}`, or the bare name for a component with its defaults. Errors carry paths below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError, Problem, UnknownComponentError
from genaudio.core.registry import suggestion
from genaudio.core.validation import NOTHING
from genaudio.core.yaml_positions import Path_

if TYPE_CHECKING:
    from genaudio.core.registry import Registry

BLOCKS = (
    "dataset",
    "representation",
    "network",
    "conditioner",
    "preconditioner",
    "noise",
    "schedule",
    "solver",
    "guidance",
    "embedding",
    "metric",
)
OPTIONAL_BLOCKS = ("conditioner", "guidance", "metric")
AUTO_BLOCKS = ("noise",)  # may be `auto`: what another block asks for
AUTO = "auto"
LIST_BLOCKS = ("guidance", "metric")  # which may hold several components, in order


def installed_registry() -> Registry:
    """The registry of this process, with plugins; imported late, for `core` stands below `plugins`."""
    from genaudio.plugins.manager import registry

    return registry()


def is_auto(block: Any) -> bool:
    """Whether a block leaves its type to another one: `auto`, or `{type: auto, …fields}`."""
    return (block.get("type") if isinstance(block, Mapping) else block) == AUTO


def published_noise(preconditioner: Any, block: Any) -> dict[str, Any]:
    """The block `noise` that a preconditioner was published with, under the fields that an `auto` block sets."""
    given = {key: item for key, item in block.items() if key != "type"} if isinstance(block, Mapping) else {}
    return {**preconditioner.published_noise, **given}


def block_names(kind: str, registry: Registry) -> list[str]:
    """What a block's `type` may be."""
    return [*([AUTO] if kind in AUTO_BLOCKS else []), *registry.names(kind)]


def build_components(kind: str, values: Sequence[Any], info: ValidationInfo) -> tuple[Component, ...]:
    """The components that a list describes. Errors carry paths below the block: `0.type`, `1.order`, …"""
    if not values:
        null = ", or null for none" if kind in OPTIONAL_BLOCKS else ""
        raise refuse((), values, Problem("an empty list", f"at least one {kind}{null}"))

    def build(value: Any, info: ValidationInfo) -> Component:
        return build_component(kind, value, info, in_list=True)

    item = Annotated[Any, PlainValidator(build)]  # pydantic puts the index before the path of an item's errors
    return TypeAdapter(tuple[item, ...]).validate_python(values, context=info.context)


def build_component(kind: str, value: Any, info: ValidationInfo, *, in_list: bool = False) -> Component:
    """The component that a block, or an item of its list, describes. Errors carry paths below it: `type`, `order`, …"""
    nullable = kind in OPTIONAL_BLOCKS and not in_list
    registry = (info.context or {}).get("registry") or installed_registry()
    if isinstance(value, Component):
        try:
            registry.name_of(kind, value)
        except GenaudioError as error:
            raise refuse((), value, error.problems[0]) from None
        return value
    block = {"type": value} if isinstance(value, str) else value
    if not isinstance(block, Mapping):
        also = (" or null" if nullable else "") + (", or a list" if kind in LIST_BLOCKS and not in_list else "")
        names = ", ".join(block_names(kind, registry))
        raise refuse((), value, Problem("", f"a mapping with 'type', or the name of a {kind}{also}: {names}"))
    if "type" not in block:
        names = ", ".join(block_names(kind, registry))
        mend = "write {type: …}" if in_list else f"write {kind}: {{type: …}}"
        raise refuse(("type",), None, Problem(NOTHING, f"one of {names}", mend))
    name = block["type"]
    if not isinstance(name, str):
        raise refuse(("type",), name, Problem("", f"one of {', '.join(block_names(kind, registry))}"))
    try:
        cls = registry.load(kind, name)
    except GenaudioError as error:
        problem = error.problems[0]
        if name.lower() in ("none", "no", "off") and nullable:
            problem = Problem(problem.given, problem.expected, f"for no {kind}, write null")
        elif kind in AUTO_BLOCKS and isinstance(error, UnknownComponentError):
            known = block_names(kind, registry)
            problem = Problem(problem.given, f"one of {', '.join(known)}", suggestion(name, known) or problem.mend)
        raise refuse(("type",), name, problem) from None
    try:
        return cls.model_validate({key: item for key, item in block.items() if key != "type"})
    except ValidationError:
        raise
    except GenaudioError as error:  # a component's own validator spoke in our terms
        raise refuse((), value, error.problems[0]) from None
    except Exception as error:
        given = f"{name!r} could not be built: {type(error).__name__}: {error}"
        raise refuse((), value, Problem(given, "", "report this to its authors")) from None


def refuse(path: Path_, value: Any, problem: Problem) -> ValidationError:
    """`problem` as a validation error at `path` below the field that is being validated."""
    custom = PydanticCustomError("genaudio", "{given}", {"given": problem.given, "problem": problem})
    return ValidationError.from_exception_data("Recipe", [InitErrorDetails(type=custom, loc=path, input=value)])
