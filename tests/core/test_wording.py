"""Words of messages."""

from __future__ import annotations

import pytest

from genaudio.core.wording import listed


@pytest.mark.parametrize(
    ("names", "most", "text"),
    [([], 2, ""), (["a"], 2, "a"), (["a", "b"], 2, "a, b"), (["a", "b", "c", "d"], 2, "a, b and 2 more")],
)
def test_of_many_names_the_first_are_listed_and_the_rest_counted(names: list[str], most: int, text: str) -> None:
    assert listed(iter(names), most) == text
    assert listed(names, most, long=True) == text.replace(", ", "; ").replace(" and", "; and")
