"""The base of every component: a frozen pydantic model whose fields are the parameters that a recipe may set."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict
from pydantic_core import PydanticUndefined

# Sequences of parameters: a YAML list becomes a tuple, its elements stay strict.
Ints = Annotated[tuple[int, ...], Strict(False)]
Floats = Annotated[tuple[float, ...], Strict(False)]
Strings = Annotated[tuple[str, ...], Strict(False)]


def parameter(
    default: Any = PydanticUndefined,
    *,
    description: str,
    unit: str | None = None,
    source: str | None = None,
    **constraints: Any,
) -> Any:
    """A field of a component: its default, what it means, its unit, its source, and pydantic's bounds (`ge`, `lt`, …).

    Without a default the field is required. `source` names the paper and equation, or the code, that a default is from.
    """
    extra: Any = {key: value for key, value in (("unit", unit), ("source", source)) if value is not None}
    return Field(default, description=description, json_schema_extra=extra or None, **constraints)


class Settings(BaseModel):
    """A frozen, strict block of parameters: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )


class Component(Settings):
    """One swappable part: its fields are what a recipe may set; its methods do the work or build what does.

    A subclass of a kind's base class becomes available to recipes by an entry in the registry
    (`registry.add(kind, name, "module:Class", summary)`).
    """
