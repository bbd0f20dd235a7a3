"""Overrides: `a.b.c=value` texts from the command line, applied to a raw recipe before it is validated."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genaudio.core.errors import Position, Problem, RecipeError
from genaudio.core.yaml_positions import Path_, parse_yaml

_SEGMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|0|[1-9][0-9]*")


@dataclass(frozen=True)
class Override:
    """One parsed override: `text` as it was given, the path that it sets, and the value."""

    text: str
    path: Path_
    value: Any

    @property
    def position(self) -> Position:
        """Where a problem with this value is shown to be."""
        return Position(f"--set {self.text}")


@dataclass
class Overridden:
    """A mapping with overrides applied: which override set each path, what was dropped on the way, what went wrong."""

    data: dict[str, Any]
    set_by: dict[Path_, Override] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse_override(text: str) -> Override:
    """`solver.order=3` as a path and a YAML value; raises `RecipeError` for anything else."""
    path, equals, value = text.partition("=")
    segments = path.strip().split(".")
    position = Position(f"--set {text}")
    if not equals or not all(_SEGMENT.fullmatch(segment) for segment in segments) or segments[0].isdigit():
        given = f"the path {path.strip()!r}" if equals else "no '='"
        raise RecipeError.of(
            [Problem(given, "a.b.c=value, as in solver.order=3 or network.multipliers.0=2", position=position)]
        )
    if not value.strip():
        raise RecipeError.of([Problem("no value", "a.b.c=value", "write null for nothing", position=position)])
    try:
        document = parse_yaml(value.strip(), "")
        problems: Sequence[Problem] = document.problems
    except RecipeError as error:
        problems = error.problems
    if problems:
        raise RecipeError.of([Problem(p.given, p.expected or "a YAML value", position=position) for p in problems])
    return Override(text, tuple(int(s) if s.isdigit() else s for s in segments), document.data)


def apply_overrides(
    data: Mapping[str, Any], texts: Sequence[str], default_types: Mapping[str, str | list[str] | None]
) -> Overridden:
    """`data` with the overrides applied to a copy. `default_types` names the component blocks and their default type.

    Types are set first, whatever their place in the order, so that `solver.order=3 solver=heun` sets the order of heun.
    Where a type changes, the block's other keys belong to the old type: they are dropped and a notice says so. The same
    holds for each item of a block that is a list (`guidance.1=rescale`), after the block as a whole.
    """
    result = Overridden(copy.deepcopy(dict(data)))
    parsed: list[Override] = []
    for text in texts:
        try:
            parsed.append(parse_override(text))
        except RecipeError as error:
            result.problems.extend(error.problems)
    by_place = [(_component_path(override.path, default_types), override) for override in parsed]
    for place, override in sorted(by_place, key=lambda pair: len(pair[0]) if pair[0] else 3):  # blocks, items, fields
        items = result.data.get(str(place[0])) if place else None
        if place and (len(place) == 1 or (isinstance(items, list) and int(place[1]) < len(items))):
            _set_component(result, override, place, default_types)
        else:
            _set_value(result, override, default_types)
    return result


def _component_path(path: Path_, blocks: Mapping[str, str | list[str] | None]) -> Path_ | None:
    """Where the component is whose type, or whole, `path` sets: a block, or an item of one; None for any other path."""
    place = path[:-1] if len(path) > 1 and path[-1] == "type" else path
    in_block = place[0] in blocks and (len(place) == 1 or (len(place) == 2 and isinstance(place[1], int)))
    return place if in_block else None


def _set_component(
    result: Overridden, override: Override, place: Path_, default_types: Mapping[str, str | list[str] | None]
) -> None:
    kind = str(place[0])
    value = override.value
    old = result.data.get(kind, default_types[kind]) if len(place) == 1 else result.data[kind][place[1]]
    old = {"type": old} if isinstance(old, str) else old if isinstance(old, dict | list) else {}
    new: Any = {"type": value} if override.path != place or isinstance(value, str) else value
    if isinstance(new, dict) and isinstance(old, dict) and new.keys() == {"type"} and new["type"] == old.get("type"):
        new = old
    dropped = [key for key in _fields(old) if key not in _fields(new)]
    if dropped:
        change = f"{_types(old)} → {_types(new)}" if new else "null"
        result.notices.append(
            f"{_dotted(*place)}: {change}, so these keys of the recipe were dropped: {', '.join(dropped)}"
        )
    if len(place) == 2:
        result.data[kind][place[1]] = new
    else:
        result.data[kind] = new
    for path in [path for path in result.set_by if path[: len(place)] == place]:
        del result.set_by[path]
    result.set_by[(*place, "type") if isinstance(new, dict) and isinstance(value, str) else place] = override


def _fields(block: Any) -> list[str]:
    """The keys of a component, or of each in a list: `scale`, or `0.scale`."""
    if isinstance(block, list):
        return [f"{index}.{key}" for index, item in enumerate(block) for key in _fields(item)]
    return [key for key in block if key != "type"] if isinstance(block, dict) else []


def _types(block: Any) -> str:
    """`cfg`, or `[cfg, rescale]`."""
    if isinstance(block, list):
        return f"[{', '.join(map(_types, block))}]"
    return str(block.get("type") if isinstance(block, dict) else block)


def _dotted(*path: str | int) -> str:
    return ".".join(map(str, path))


def _set_value(result: Overridden, override: Override, default_types: Mapping[str, str | list[str] | None]) -> None:
    path = override.path
    kind = str(path[0])
    if kind in default_types:
        block = result.data.get(kind, default_types[kind])
        result.data[kind] = {"type": block} if isinstance(block, str) else block
        if isinstance(block, list) and len(path) > 2 and isinstance(path[1], int) and path[1] < len(block):
            item = block[path[1]]
            block[path[1]] = {"type": item} if isinstance(item, str) else item
    here: Any = result.data
    for depth, key in enumerate(path):
        above = _dotted(*path[:depth])
        last = depth == len(path) - 1
        if isinstance(here, list):
            if not isinstance(key, int) or key >= len(here):
                mend = f"give the whole list: --set '{above}=[…]'"
                if here and not isinstance(key, int):
                    mend = f"for the first item: --set {_dotted(above, 0, *path[depth:])}=…"
                result.problems.append(
                    Problem(
                        f"the index {key!r} into a list of {len(here)}",
                        f"an index from 0 to {len(here) - 1}" if here else "no index; the list is empty",
                        mend,
                        _dotted(*path),
                        override.position,
                    )
                )
                return
        elif isinstance(key, int) or not isinstance(here, dict):
            found = "is not in the recipe" if here is None else f"is {here!r}"
            mend = f"--set '{above}=[…]' gives the whole list" if isinstance(key, int) else ""
            if isinstance(here, dict) and not last and above in default_types:
                found, mend = "is no list", f"leave the index out: --set {_dotted(above, *path[depth + 1 :])}=…"
            elif above in default_types and not isinstance(key, int):
                found = f"is {'null' if here is None else repr(here)}"
                mend = f"choose its type first: --set {above}=NAME"
            expected = "a list" if isinstance(key, int) else "a mapping"
            result.problems.append(Problem(f"{above} {found}", expected, mend, _dotted(*path), override.position))
            return
        if last:
            here[key] = override.value
        elif isinstance(here, dict):
            # a mapping on the way that the recipe leaves to its defaults comes into being
            nested = here.get(key)
            if nested is None and not isinstance(path[depth + 1], int) and not (depth == 0 and key in default_types):
                here[key] = nested = {}
            here = nested
        else:
            here = here[key]
    for stale in [p for p in result.set_by if p[: len(path)] == path]:
        del result.set_by[stale]
    result.set_by[path] = override
