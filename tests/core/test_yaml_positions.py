"""The YAML reader: the core schema of YAML 1.2, and positions."""

from __future__ import annotations

import math

import pytest

from genaudio.core.yaml_positions import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("44.1e3", 44100.0),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("1.", 1.0),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        # what YAML 1.1 would make booleans, dates, times and grouped numbers of
        ("on", "on"),
        ("yes", "yes"),
        ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("!!str 5", "5"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    result = parse_yaml(f"key: {text}\n", "x").data["key"]
    assert result == value
    assert type(result) is type(value)


def test_a_yaml_1_1_directive_changes_nothing() -> None:
    assert parse_yaml("%YAML 1.1\n---\na: on\n", "x").data == {"a": "on"}


def test_positions_of_keys_and_values() -> None:
    document = parse_yaml("a: 1\nb:\n  c: [x, {d: 2}]\n  e: |\n    text\n", "r.yaml")
    places = {
        ("a",): ("r.yaml:1:1", "r.yaml:1:4"),
        ("b",): ("r.yaml:2:1", "r.yaml:3:3"),
        ("b", "c"): ("r.yaml:3:3", "r.yaml:3:6"),
        ("b", "c", 1, "d"): ("r.yaml:3:11", "r.yaml:3:14"),
        ("b", "e"): ("r.yaml:4:3", "r.yaml:4:6"),
    }
    for path, (key, value) in places.items():
        assert str(document.position(path, key=True)) == key
        assert str(document.position(path)) == value


def test_what_is_absent_is_shown_at_its_parent() -> None:
    document = parse_yaml("a:\n  b: {c: 1}\nd: name\n", "r.yaml")
    assert str(document.position(("a", "b", "x"))) == "r.yaml:2:3"  # the key of the mapping that lacks it
    assert str(document.position(("d", "type"))) == "r.yaml:3:4"  # a bare name stands for its block
    assert str(document.position(("x",))) == "r.yaml:1:1"


def test_merge_keys_follow_their_order() -> None:
    document = parse_yaml("a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\n", "x")
    assert document.data["c"] == {"x": 1, "y": 3, "z": 2}


def test_aliases_give_equal_values_that_are_apart() -> None:
    data = parse_yaml("a: &a {x: [1]}\nb: *a\n", "x").data
    assert data["a"] == data["b"]
    assert data["a"] is not data["b"]
