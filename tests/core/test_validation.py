"""pydantic's findings in our terms, also below nested blocks, lists and unions; the blocks of text that errors are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Strict, ValidationError, field_validator

from genaudio.core.component import Floats, Settings, parameter
from genaudio.core.errors import GenaudioError, Position, Problem, RecipeError
from genaudio.core.seeds import derive_seed
from genaudio.core.validation import problems_of


class _Inner(Settings):
    count: int = parameter(1, ge=1, description="How many")
    pair: Annotated[tuple[float, float], Strict(False)] = parameter((1.0, 2.0), description="Two numbers")


class _Outer(Settings):
    inner: _Inner = parameter(_Inner(), description="A block")
    maybe: _Inner | None = parameter(None, description="A block or nothing")
    many: Annotated[tuple[_Inner, ...], Strict(False)] = parameter((), description="Blocks")
    table: dict[str, int] = parameter({}, description="Counts by name")
    level: float | Literal["auto", "off"] = parameter("auto", description="A level")
    bands: Floats = parameter((1.0,), description="Bands", unit="Hz")
    even: int = parameter(2, description="An even number")

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number")
        return value


def problems(data: Any) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate(data)
    return problems_of(caught.value, data, _Outer)


@pytest.mark.parametrize(
    ("data", "path", "given", "expected", "mend"),
    [
        ({"inner": {"count": 0}}, "inner.count", "0", "integer, at least 1 (How many)", ""),
        (
            {"inner": {"cuont": 1}},
            "inner.cuont",
            "the unknown key 'cuont'",
            "one of count, pair",
            "did you mean 'count'?",
        ),
        ({"many": [3]}, "many.0", "the item 3", "a mapping with the keys count, pair", ""),
        ({"inner": 3}, "inner", "3", "a mapping with the keys count, pair", ""),
        ({"maybe": {"count": "x"}}, "maybe.count", "'x'", "integer, at least 1 (How many)", ""),
        ({"many": [{}, {"count": 1.5}]}, "many.1.count", "1.5", "integer, at least 1 (How many)", ""),
        (
            {"inner": {"pair": [1]}},
            "inner.pair.1",
            "nothing",
            "list of 2: number, number (Two numbers)",
            "",
        ),
        ({"inner": {"pair": [1, 2, 3]}}, "inner.pair", "[1, 2, 3]", "list of 2: number, number (Two numbers)", ""),
        ({"level": "atuo"}, "level", "'atuo'", "number, 'auto' or 'off' (A level)", "did you mean 'auto'?"),
        ({"level": [1]}, "level", "[1]", "number, 'auto' or 'off' (A level)", ""),
        (
            {"bands": [1, "2 Hz"]},
            "bands.1",
            "the item '2 Hz'",
            "list of numbers in Hz (Bands)",
            "write the number alone, in Hz",
        ),
        ({"even": 3}, "even", "3", "an even number", ""),
    ],
)
def test_a_problem_in_our_terms(data: Any, path: str, given: str, expected: str, mend: str) -> None:
    (problem,) = problems(data)
    assert (problem.path, problem.given, problem.mend) == (path, given, mend)
    assert problem.expected.replace("number or 'auto' or", "number, 'auto' or") == expected


def test_a_union_is_one_problem_however_many_members_refuse() -> None:
    assert len(problems({"level": [1], "table": {"a": "b"}})) == 2


def test_a_position_shows_what_it_knows() -> None:
    assert [str(Position("a.yaml")), str(Position("a.yaml", 3)), str(Position("a.yaml", 3, 7))] == [
        "a.yaml",
        "a.yaml:3",
        "a.yaml:3:7",
    ]


def test_the_text_of_a_problem() -> None:
    problem = Problem("3", "4", "write 4", "a.b", Position("r.yaml", 1, 2))
    assert str(problem) == "r.yaml:1:2  a.b\n    given     3\n    expected  4\n    mend      write 4"
    assert str(GenaudioError("no luck", mend="try again")) == "no luck\n    mend      try again"


def test_many_problems_make_one_error_of_the_class_that_was_asked_for() -> None:
    error = RecipeError.of([Problem("1"), Problem("2")])
    assert type(error) is RecipeError
    assert str(error) == "1\n2"


def test_a_seed_depends_on_every_part_and_keeps_them_apart() -> None:
    assert derive_seed(1, "noise", 2) == derive_seed(1, "noise", 2)
    seeds = {derive_seed(*parts) for parts in [("a", "bc"), ("ab", "c"), ("abc",), (1,), ("1",), (1, "a"), ("a", 1)]}
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)
