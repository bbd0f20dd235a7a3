"""Writes plain data as YAML 1.2 that reads back equal: one line a value, lists of values in one line.

A list of mappings has one line for each of their values too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genaudio.core.yaml_positions import Path_, plain_scalar

Comment = Callable[[Path_], str]
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*")
_YAML_1_1 = {"y", "n", "yes", "no", "on", "off"}  # booleans to older readers: quoted, to mean the same everywhere


def to_yaml(data: Mapping[str, Any], comment: Comment | None = None) -> str:
    """`data` as YAML; `comment(path)` is written behind each value, in one column."""
    lines: list[tuple[str, str]] = []
    _write(data, (), lines, comment)
    width = max((len(line) for line, note in lines if note), default=0)
    return "".join(f"{line:<{width}}  # {note}\n" if note else f"{line}\n" for line, note in lines)


def _write(data: Mapping[str, Any], path: Path_, lines: list[tuple[str, str]], comment: Comment | None) -> None:
    for key, value in data.items():
        here = (*path, key)
        indent = "  " * len(path)
        if isinstance(value, Mapping) and value:
            lines.append((f"{indent}{scalar(key)}:", ""))
            _write(value, here, lines, comment)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) and item for item in value):
            lines.append((f"{indent}{scalar(key)}:", ""))
            _write_items(value, here, lines, comment)
        else:
            lines.append((f"{indent}{scalar(key)}: {inline(value)}", comment(here) if comment else ""))


def _write_items(
    items: Sequence[Mapping[str, Any]], path: Path_, lines: list[tuple[str, str]], comment: Comment | None
) -> None:
    for index, item in enumerate(items):
        start = len(lines)
        _write(item, (*path, index), lines, comment)
        line, note = lines[start]
        indent = "  " * len(path)
        lines[start] = f"{indent}- {line.removeprefix(indent + '  ')}", note


def inline(value: Any) -> str:
    """A value in YAML's one-line spelling."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar as YAML reads it back: texts that look like something else are quoted."""
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        text = repr(value)
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)
    text = str(value)
    if _PLAIN.fullmatch(text) and isinstance(plain_scalar(text), str) and text.lower() not in _YAML_1_1:
        return text
    # JSON's strings are YAML's; DEL and C1 controls, which JSON leaves bare, are escaped too
    return re.sub(
        r"[\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\u2028\u2029]",
        lambda m: f"\\u{ord(m[0]):04x}",
        json.dumps(text, ensure_ascii=False),
    )
