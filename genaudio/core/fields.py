"""The fields of a component or settings block, described for people: type, bounds, default, unit, meaning, source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

_TYPES = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
_PLURALS = {
    "integer": "integers",
    "number": "numbers",
    "string": "texts",
    "boolean": "true or false",
    "object": "mappings",
}
_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
    ("multipleOf", "a multiple of {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
)


@dataclass(frozen=True)
class FieldCard:
    """What is known about one field; `default` is meaningless where `required`."""

    name: str
    type: str
    required: bool
    default: Any
    bounds: str
    unit: str
    description: str
    source: str

    @property
    def expected(self) -> str:
        """What a value must be, in a few words."""
        text = ", ".join(part for part in (self.type, self.bounds) if part)
        measured = any(word in self.type for word in ("integer", "number"))
        unit = f" in {self.unit}" if self.unit and measured else ""
        return f"{text}{unit} ({self.description})" if self.description else text + unit


@cache
def schema_of(cls: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a class, empty for a class that has none."""
    try:
        return cls.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {}


def field_cards(cls: type[BaseModel]) -> list[FieldCard]:
    """The fields of a class, in the order in which they are declared."""
    return [field_card(cls, name) for name in cls.model_fields]


def field_card(cls: type[BaseModel], name: str) -> FieldCard:
    """One field of a class."""
    info = cls.model_fields[name]
    schema = schema_of(cls)
    part = schema.get("properties", {}).get(name)
    definitions = schema.get("$defs", {})
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}
    return FieldCard(
        name=name,
        type=str(info.annotation) if part is None else type_text(part, definitions),
        required=info.is_required(),
        default=None if info.is_required() else info.get_default(call_default_factory=True, validated_data={}),
        bounds="" if part is None else bounds_text(part),
        unit=str(extra.get("unit", "")),
        description=info.description or "",
        source=str(extra.get("source", "")),
    )


def type_text(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of a JSON Schema in words: `integer`, `list of numbers`, `'wav' or 'flac'`, `number or null`."""
    if "$ref" in part:
        return type_text(definitions.get(str(part["$ref"]).rsplit("/", 1)[-1], {}), {})
    options = part.get("anyOf") or part.get("oneOf")
    if options:
        several = [option for option in options if option.get("type") != "null"]
        texts = [type_text(option, definitions) + _inner_bounds(option, len(several)) for option in options]
        return " or ".join(dict.fromkeys(texts))
    if "const" in part:
        return repr(part["const"])
    if "enum" in part:
        *most, last = [repr(choice) for choice in part["enum"]]
        return f"{', '.join(most)} or {last}" if most else last
    if part.get("type") == "array":
        if part.get("prefixItems"):
            return f"list of {len(part['prefixItems'])}: " + ", ".join(
                type_text(item, definitions) for item in part["prefixItems"]
            )
        items = part.get("items") or {}
        plural = _PLURALS.get(str(items.get("type")))
        inner = bounds_text(items) if isinstance(items, Mapping) else ""
        return f"list of {plural or type_text(items, definitions)}{f' ({inner} each)' if inner else ''}"
    return _TYPES.get(str(part.get("type")), "anything")


def _inner_bounds(option: Mapping[str, Any], count: int) -> str:
    text = bounds_text(option)
    return "" if not text else f", {text}," if count == 1 else f" ({text})"


def bounds_text(part: Mapping[str, Any]) -> str:
    """The bounds of a JSON Schema in words: `at least 1, below 10`."""
    known = {key: value for key, value in part.items() if not ("prefixItems" in part and key.endswith("Items"))}
    texts = [text.format(known[key]) for key, text in _BOUNDS if key in known]
    return ", ".join(text[:-1] if text.endswith((" 1 items", " 1 characters")) else text for text in texts)


def nested_model(cls: type[BaseModel], name: str, *, items: bool = False) -> type[BaseModel] | None:
    """The model that a field holds, alone or beside null; with `items` the model of a list's items; None for others."""
    info = cls.model_fields.get(name)
    return None if info is None else _model_in(info.annotation, items)


def _model_in(annotation: Any, items: bool) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None if items else annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return _model_in(get_args(annotation)[0], items)
    if items and origin in (tuple, list):
        annotation, items = get_args(annotation)[0], False
        return _model_in(annotation, items)
    options = get_args(annotation) if origin in (Union, UnionType) else ()
    return next((model for option in options if (model := _model_in(option, items)) is not None), None)


def choices(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """The texts that a JSON Schema lists as the possible ones."""
    if "$ref" in part:
        return choices(definitions.get(str(part["$ref"]).rsplit("/", 1)[-1], {}), {})
    found = [choice for choice in (*part.get("enum", ()), part.get("const")) if isinstance(choice, str)]
    for option in (
        *part.get("anyOf", ()),
        *part.get("oneOf", ()),
        *([part["items"]] if isinstance(part.get("items"), dict) else []),
    ):
        found += choices(option, definitions)
    return found
