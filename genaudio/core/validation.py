"""pydantic's findings in our own terms: one problem a path, with given, expected and the likely mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from genaudio.core.errors import Problem
from genaudio.core.fields import FieldCard, choices, field_card, nested_model, schema_of
from genaudio.core.registry import suggestion
from genaudio.core.yaml_writer import inline

UNKNOWN_KEY = "the unknown key "
NOTHING = "nothing"  # what a required key that is missing was given
ClassOfBlock = Callable[[str, Any], type[BaseModel] | None]

_TRUE, _FALSE = {"y", "yes", "on", "t"}, {"n", "no", "off", "f"}


def problems_of(
    error: ValidationError, data: Any, model: type[BaseModel], class_of_block: ClassOfBlock | None = None
) -> list[Problem]:
    """One problem for each path of `error`.

    `data` is what `model` was given; `class_of_block(name, raw)` finds the class of a component block, whose fields the
    model's own annotations do not tell.
    """
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        place = _Place(detail["loc"], data, model, class_of_block)
        problem = _problem(dict(detail), place)
        found.setdefault(f"{place.text} {problem.given}", problem)
    return list(found.values())


class _Place:
    """Where an error's location leads: the path without pydantic's own marks, the value, and its field."""

    def __init__(
        self, loc: Sequence[Any], data: Any, model: type[BaseModel], class_of_block: ClassOfBlock | None
    ) -> None:
        self.path: list[str | int] = []
        self.value = data
        self.holder: type[BaseModel] | None = model  # the model that holds the last named field
        self.field = ""
        here: type[BaseModel] | None = model
        for key in loc:
            in_list = isinstance(self.value, list | tuple) and isinstance(key, int)
            in_data = isinstance(self.value, Mapping) and key in self.value
            known = here is not None and (key in here.model_fields or (key == "type" and bool(self.path)))
            if not (in_list or in_data or known):
                break
            value = self.value[key] if in_data or (in_list and key < len(self.value)) else None
            if in_list:
                here = nested_model(self.holder, self.field, items=True) if self.holder is not None else None
                if len(self.path) == 1 and class_of_block is not None:  # an item of a block that is a list
                    here = class_of_block(str(self.path[0]), value) or here
            else:
                self.holder, self.field = here, str(key)
                nested = nested_model(here, str(key)) if here is not None else None
                if not self.path and class_of_block is not None:
                    nested = class_of_block(str(key), value) or nested
                here = nested
            self.path.append(key)
            self.value = value
        self.model = here  # the model at the end of the path, if the path ends at one

    @property
    def text(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def card(self) -> FieldCard | None:
        known = self.holder is not None and self.field in self.holder.model_fields
        return field_card(self.holder, self.field) if known and self.holder is not None else None

    @property
    def choices(self) -> list[str]:
        schema = schema_of(self.holder) if self.holder is not None else {}
        return choices(schema.get("properties", {}).get(self.field, {}), schema.get("$defs", {}))


def _problem(detail: Mapping[str, Any], place: _Place) -> Problem:
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    card = place.card
    if kind == "genaudio":
        own: Problem = context["problem"]
        path = ".".join(part for part in (place.text, own.path) if part)
        return Problem(own.given or show(value), own.expected, own.mend, path)
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "missing":
        description = f"{card.expected}" if card else "a value"
        mend = "" if isinstance(place.path[-1], int) else f"add the key {place.field!r}"
        return Problem(NOTHING, description, mend, place.text)
    if kind in ("value_error", "assertion_error"):
        reason = str(context.get("error") or detail["msg"])
        if card is None or isinstance(value, Mapping | BaseModel):
            return Problem(reason, path=place.text)
        return Problem(show(value), reason, path=place.text)
    if place.path and isinstance(place.path[-1], int) and card is not None:
        given, expected = f"the item {show(value)}", card.expected
    else:
        given, expected = show(place.value if card else value), card.expected if card else str(detail["msg"])
    if place.model is not None and not isinstance(place.value, Mapping):
        expected = f"a mapping with the keys {', '.join(place.model.model_fields)}"
    return Problem(given, expected, _mend(value, place), place.text)


def _unknown_key(place: _Place) -> Problem:
    names = [*place.holder.model_fields] if place.holder is not None else []
    key = place.field
    mend = suggestion(key, names)
    if not mend and len(place.path) == 1 and place.holder is not None:
        nested = {name: nested_model(place.holder, name) for name in names}
        owners = [name for name, model in nested.items() if model is not None and key in model.model_fields]
        mend = f"it belongs under {owners[0]}: {owners[0]}.{key}" if owners else ""
    known = f"one of {', '.join(names)}" if names else "no keys besides type"
    return Problem(f"{UNKNOWN_KEY}{key!r}", known, mend, place.text)


def _mend(value: Any, place: _Place) -> str:
    card = place.card
    kind = card.type if card else ""
    numeric = any(word in kind for word in ("integer", "number"))
    if isinstance(value, str):
        near = suggestion(value, place.choices)
        if near:
            return near
        word = value.strip().lower()
        if "true or false" in kind and word in _TRUE | _FALSE | {"true", "false"}:
            return f"write {'true' if word in _TRUE | {'true'} else 'false'}"
        if word in ("none", "null", "nil") and "null" in kind:
            return "for nothing, write null"
        if numeric and re.fullmatch(r"[-+]?[0-9][0-9_]*(\.[0-9]+)?([eE][-+]?[0-9]+)?", word):
            return "write the number without quotes" if "_" not in word else f"write {word.replace('_', '')}"
        amount = re.match(r"[-+]?[0-9]+(\.[0-9]+)?", word)
        if numeric and amount:
            return f"write the number alone{f', in {card.unit}' if card and card.unit else ''}"
    elif value is None and card is not None and not card.required:
        return f"leave the key out to take the default, {show(card.default)}"
    elif isinstance(value, float) and value.is_integer() and "integer" in kind:
        return f"write {int(value)}"
    elif isinstance(value, bool) and numeric:
        return ""
    elif isinstance(value, bool | int | float) and kind.startswith(("text", "'")):
        return f"quote it: '{inline(value)}'"
    if (
        kind.startswith("list")
        and not isinstance(value, list | tuple | Mapping)
        and len(place.path)
        and value is not None
    ):
        return f"write [{inline(value)}]" if not isinstance(place.path[-1], int) else ""
    return ""


def show(value: Any) -> str:
    """A value as a user would write it, cut to a readable length."""
    if isinstance(value, str | BaseModel):
        text = repr(value)
    elif isinstance(value, Mapping | list | tuple | bool | int | float) or value is None:
        text = inline(value)
    else:
        text = f"{value!r}"
    return text if len(text) <= 80 else f"{text[:77]}…"
