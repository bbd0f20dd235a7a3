"""A YAML file as plain data, with the line and column of everything in it.

YAML 1.2 core schema: `on`, `yes`, `2020-01-01` and `1_000` are texts, `1e-4` is a number. Duplicate keys, tags,
keys that are no texts and documents that unfold without measure are problems with a position, never silent choices.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genaudio.core.errors import Position, Problem, RecipeError

Path_ = tuple[str | int, ...]  # of keys and list indices, from the top of the document

MAX_BYTES = 200_000
MAX_NODES = 20_000  # after aliases are unfolded
MAX_DEPTH = 40

_TAG = "tag:yaml.org,2002:"
_CORE_TAGS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value")}
_INT = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + text: float(sign + "inf") for sign in ("", "+", "-") for text in (".inf", ".Inf", ".INF")},
}


@dataclass
class Document:
    """Plain data, where each key and value stands, and what was wrong on the way."""

    source: str
    data: Any = None
    keys: dict[Path_, Position] = field(default_factory=dict)
    values: dict[Path_, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    misread: set[str] = field(default_factory=set)  # paths of tagged values: what type they have here says nothing

    def position(self, path: Path_, *, key: bool = False) -> Position:
        """Where the value (or the key) at `path` stands; for a path that is absent, where its nearest parent does."""
        if path in self.values:
            return (self.keys.get(path) if key else None) or self.values[path]
        for end in range(len(path) - 1, 0, -1):
            above = path[:end]
            if (
                above in self.values
            ):  # what a mapping lacks is pointed at by its key, what a bare name lacks by the name
                return self.values[above] if self._is_scalar(above) else self.keys.get(above) or self.values[above]
        return self.values.get((), Position(self.source))

    def _is_scalar(self, path: Path_) -> bool:
        here = self.data
        for step in path:
            here = here[step]
        return not isinstance(here, dict | list)


def read_yaml(path: Path | str) -> Document:
    """The YAML file at `path`; raises `RecipeError` for a file that cannot be read or is no YAML."""
    path = Path(path)
    source = str(path)
    try:
        if path.is_dir():
            raise RecipeError(f"{source} is a folder", expected="a recipe file", mend=_nearby(path))
        raw = path.read_bytes()
    except FileNotFoundError:
        raise RecipeError(f"{source} does not exist", expected="a recipe file", mend=_nearby(path.parent)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"{source} cannot be read: {reason}", expected="a readable recipe file") from None
    if len(raw) > MAX_BYTES:
        raise RecipeError(f"{source} has {len(raw)} bytes", expected=f"a recipe of at most {MAX_BYTES} bytes")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecipeError(f"{source} is encoded in UTF-16", expected="UTF-8", mend="save it again as UTF-8")
    if b"\0" in raw:
        raise RecipeError(f"{source} is a binary file", expected="a YAML file, encoded in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", errors="replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise RecipeError.of(
            [
                Problem(
                    f"the byte 0x{raw[error.start]:02x}, which is not UTF-8",
                    "a YAML file, encoded in UTF-8",
                    "save it again as UTF-8",
                    position=Position(source, line, column),
                )
            ]
        ) from None
    return parse_yaml(text, source)


def _nearby(folder: Path) -> str:
    try:
        found = sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))[:5]
    except OSError:
        return ""
    return f"recipes in {folder}: {', '.join(found)}" if found else "write a starter recipe with `gen init`"


def parse_yaml(text: str, source: str) -> Document:
    """`text` as a document; raises `RecipeError` where it is no YAML at all, else collects problems."""
    if _open_brackets(text) > 2 * MAX_DEPTH:  # which the scanner would take quadratic time for
        raise RecipeError(f"{source} is nested too deeply", expected=f"at most {MAX_DEPTH} levels")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a reused anchor is legal
            _check_depth(YAML(typ="safe", pure=True).parse(text), source)
            root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        unclosed = re.search("end of stream|stream end", error.problem or "") and error.context_mark
        mark = unclosed or error.problem_mark or error.context_mark  # what is never closed is shown where it opens
        position = Position(source, mark.line + 1, mark.column + 1) if mark else Position(source)
        given = error.problem or error.context or "something that is not YAML"
        raise RecipeError.of(
            [Problem(given, "YAML 1.2", _yaml_mend(given, text, position), position=position)]
        ) from None
    except YAMLError as error:
        at = _unprintable(text)
        position = Position(source, *at) if at else Position(source)
        given = "a control character" if at else (str(error).splitlines() or ["no YAML"])[0]
        raise RecipeError.of([Problem(given, "YAML 1.2", position=position)]) from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:  # the parser's own slips on strange input
        raise RecipeError(f"{source} cannot be parsed as YAML: {error}", expected="YAML 1.2") from None
    document = Document(source)
    if root is not None:
        document.data = _Reader(document).read(root, (), ())
    return document


def _open_brackets(text: str) -> int:
    """The most brackets that are open at once, those within texts counted too."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _check_depth(events: Iterable[Any], source: str) -> None:
    """Refuse deep nesting before anything recurses into it."""
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            position = Position(source, event.start_mark.line + 1, event.start_mark.column + 1)
            raise RecipeError.of(
                [Problem("values nested too deeply", f"at most {MAX_DEPTH} levels", position=position)]
            )


def _unprintable(text: str) -> tuple[int, int] | None:
    found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]", text)
    if found is None:
        return None
    before = text[: found.start()]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _yaml_mend(given: str, text: str, position: Position) -> str:
    line = (text.splitlines() or [""])[min((position.line or 1), len(text.splitlines()) or 1) - 1] if text else ""
    if "\\t" in given or "\t" in line[: (position.column or 1)]:
        return "indent with spaces; YAML allows no tabs there"
    if re.search("end of stream|stream end", given):
        return "close this quote or bracket"
    if "mapping values are not allowed" in given:
        return "quote a text that contains ': ', and check the indentation of the line above"
    if "another document" in given:
        return "one file holds one recipe: remove the '---' line"
    if "undefined alias" in given:
        return "a text that begins with '*' must be quoted"
    return "check indentation, brackets and quotes on this line and the one above"


class _Reader:
    """Turns composed nodes into plain data, noting positions and problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def read(self, node: Any, path: Path_, above: tuple[int, ...]) -> Any:
        from ruamel.yaml.nodes import MappingNode, ScalarNode

        position = self._position(node)
        self.document.values[path] = position
        self.count += 1
        if self.count > MAX_NODES:
            raise RecipeError.of(
                [Problem(f"more than {MAX_NODES} values after aliases are unfolded", "a recipe", position=position)]
            )
        if id(node) in above:
            raise RecipeError.of([Problem("an alias that contains itself", "a finite document", position=position)])
        if len(above) > MAX_DEPTH:
            raise RecipeError.of(
                [Problem("values nested too deeply", f"at most {MAX_DEPTH} levels", position=position)]
            )
        above = (*above, id(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, MappingNode):
            self._check_tag(node, "map", path)
            return self._mapping(node, path, above)
        self._check_tag(node, "seq", path)
        return [self.read(item, (*path, index), above) for index, item in enumerate(node.value)]

    def _position(self, node: Any) -> Position:
        return Position(self.document.source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _problem(self, node: Any, path: Path_, given: str, expected: str, mend: str = "") -> None:
        text = ".".join(map(str, path))
        self.document.problems.append(Problem(given, expected, mend, text, self._position(node)))
        if given.startswith("the tag"):
            self.document.misread.add(text)

    def _check_tag(self, node: Any, core: str, path: Path_) -> None:
        if str(node.tag) != _TAG + core:
            self._problem(node, path, f"the tag {_short_tag(node)}", "plain YAML without tags", "remove the tag")

    def _scalar(self, node: Any, path: Path_) -> Any:
        text: str = node.value
        if str(node.tag) not in _CORE_TAGS or (node.style and str(node.tag) != f"{_TAG}str"):
            self._problem(node, path, f"the tag {_short_tag(node)}", "plain YAML without tags", "remove the tag")
            return text
        if node.style or str(node.tag) == f"{_TAG}str":
            return text
        return plain_scalar(text)

    def _mapping(self, node: Any, path: Path_, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        for key_node, value_node in node.value:
            if str(key_node.tag) == f"{_TAG}merge":
                merged.extend(self._merge(value_node, path, above))
                continue
            key = key_node.value
            if not isinstance(key, str) or (not key_node.style and not isinstance(plain_scalar(key), str)):
                shown = repr(key) if isinstance(key, str) else "a list or mapping"
                self._problem(key_node, path, f"the key {shown}", "a text as key")
                continue
            if key in result:
                first = self.document.keys[*path, key]
                self._problem(
                    key_node, (*path, key), f"the key {key!r} twice", "each key once", f"the first is at {first}"
                )
                continue
            self.document.keys[*path, key] = self._position(key_node)
            result[key] = self.read(value_node, (*path, key), above)
            if result[key] is None and not value_node.value:  # an empty value has no place of its own
                self.document.values[*path, key] = self.document.keys[*path, key]
        for other in merged:
            result = {**other, **result}
        return result

    def _merge(self, node: Any, path: Path_, above: tuple[int, ...]) -> list[dict[str, Any]]:
        """What `<<: *anchor` or `<<: [*a, *b]` brings in; the earliest wins, keys of the mapping itself before all."""
        known = dict(self.document.keys), dict(self.document.values)
        value = self.read(node, path, above)
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in found):
            self._problem(node, path, "a merge key '<<' without a mapping", "'<<: *anchor' of a mapping")
            found = []
        for paths, before in zip((self.document.keys, self.document.values), known, strict=True):
            paths.update(before)
        return found


def _short_tag(node: Any) -> str:
    return str(node.tag).replace(_TAG, "!!")


def plain_scalar(text: str) -> Any:
    """An unquoted scalar under the core schema of YAML 1.2."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) <= 400:
        if _INT.fullmatch(text):
            return int(text)
        if _RADIX.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text
