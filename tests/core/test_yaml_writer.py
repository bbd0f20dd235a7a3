"""Written YAML reads back equal, to our reader and to another one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genaudio.core.yaml_positions import parse_yaml
from genaudio.core.yaml_writer import scalar, to_yaml

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
data = st.dictionaries(
    st.text(max_size=6),
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(value=data)
def test_round_trip(value: dict[str, Any]) -> None:
    document = parse_yaml(to_yaml(value), "x")
    assert document.problems == []
    assert (document.data or {}) == value


@pytest.mark.parametrize(
    "text",
    ["on", "No", "null", "~", "5", "0x1f", "1e5", ".inf", "a: b", "# a", "", " a", "- a", "é", "a\nb", "*a", "a,b"],
)
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert scalar(text).startswith('"')
    assert parse_yaml(f"k: {scalar(text)}", "x").data == {"k": text}


@pytest.mark.parametrize("text", ["heun", "acme/heun", "cuda:0 not", "log_normal", "a-b.c"])
def test_plain_words_stay_plain_where_yaml_allows(text: str) -> None:
    assert scalar(text) == (f'"{text}"' if ":" in text else text)


def test_comments_stand_in_one_column() -> None:
    text = to_yaml({"a": 1, "block": {"long_name": [1, 2]}}, lambda path: ".".join(map(str, path)))
    assert text == "a: 1                 # a\nblock:\n  long_name: [1, 2]  # block.long_name\n"
