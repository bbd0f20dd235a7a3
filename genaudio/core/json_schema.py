"""The JSON Schema of recipes: what an editor needs to complete, explain and check one while it is written.

A component block is described by an enumeration of names and one `if`/`then` for each type, so that an error is
about the type that was written. A block that may be a list has the same for its items. Schemas of the components are
made one by one and spliced into `$defs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genaudio.core.recipe import Recipe, default_types
from genaudio.core.recipe_blocks import AUTO, AUTO_BLOCKS, BLOCKS, LIST_BLOCKS, OPTIONAL_BLOCKS, block_names
from genaudio.core.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema(registry: Registry) -> dict[str, Any]:
    """The schema of recipes for the components of `registry`."""
    schema = Recipe.model_json_schema()
    definitions: dict[str, Any] = {}
    for kind in BLOCKS:
        schema["properties"][kind] = _block(kind, registry, definitions)
    settings = {name: part for name, part in schema.get("$defs", {}).items() if name.endswith("Settings")}
    schema["$defs"] = {**settings, **definitions}
    return {"$schema": DIALECT, "title": "genaudio recipe", **{k: v for k, v in schema.items() if k != "title"}}


def _block(kind: str, registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    entries = registry.entries(kind)
    names = {"enum": block_names(kind, registry)}
    conditions = []
    # names that stand for a component by themselves: all of its fields have defaults
    bare = [AUTO] if kind in AUTO_BLOCKS else []
    for entry in entries:
        definition = f"{kind}.{entry.name.replace('/', '.')}"
        try:
            own = registry.load(kind, entry.name).model_json_schema()
        except Exception as error:  # a component that cannot be described is accepted as it stands
            own = {"type": "object", "description": f"no schema: {type(error).__name__}"}
        if not own.get("required"):
            bare.append(entry.name)
        definitions[definition] = _component(own, definition, entry.name, entry.summary, definitions)
        conditions.append(
            {
                "if": {"properties": {"type": {"const": entry.name}}, "required": ["type"]},
                "then": {"$ref": f"#/$defs/{definition}"},
            }
        )
    mapping: dict[str, Any] = {"type": "object", "required": ["type"], "properties": {"type": names}}
    if conditions:
        mapping["allOf"] = conditions
    single: dict[str, Any] = {
        "if": {"type": "string"},
        "then": {"enum": bare},
        "else": {"if": {"type": "object"}, "then": mapping},
    }
    block: dict[str, Any] = {
        "description": Recipe.model_fields[kind].description,
        "type": ["object", "string", *(["null"] if kind in OPTIONAL_BLOCKS else [])],
        **single,
    }
    if kind in LIST_BLOCKS:
        block["type"].append("array")
        definitions[f"{kind}.item"] = {"type": ["object", "string"], **single}
        block |= {"items": {"$ref": f"#/$defs/{kind}.item"}, "minItems": 1}
    default = default_types()[kind]
    if default is not None or kind in OPTIONAL_BLOCKS:
        block["default"] = default
    return block


def _component(
    own: dict[str, Any], definition: str, name: str, summary: str, definitions: dict[str, Any]
) -> dict[str, Any]:
    """A component's schema with `type` added; its own definitions move beside it, under names of their own."""
    prefix = f"{definition}."
    for inner, part in own.pop("$defs", {}).items():
        definitions[prefix + inner] = _moved(part, prefix)
    own = _moved(own, prefix)
    own["title"] = f"{name}: {summary}"
    own["properties"] = {"type": {"const": name}, **own.get("properties", {})}
    return own


def _moved(part: Any, prefix: str) -> Any:
    if isinstance(part, Mapping):
        return {
            key: f"#/$defs/{prefix}{value.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(value, str)
            else _moved(value, prefix)
            for key, value in part.items()
        }
    return [_moved(item, prefix) for item in part] if isinstance(part, list) else part
