"""The conformance kit: every built-in conforms, and components that break a promise are caught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ConfigDict

from genaudio import Solver, create, parameter
from genaudio.plugins.builtin import BUILTINS
from genaudio.plugins.manager import discover
from genaudio.plugins.testing import ConformanceError, check_component, check_schedule, check_solver
from genaudio.samplers.euler import Euler
from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.explicit import Explicit
from genaudio.samplers.schedules.karras import Karras
from genaudio.samplers.schedules.tuned import Tuned
from genaudio.samplers.schedules.tuned_file import TunedGrid, write_grids

LEVELS = (80.0, 5.0, 0.3, 0.002)
REQUIRED = {"root": "sounds", "levels": LEVELS, "high": 5.0, "model": "runs/weak", "memory": "memory.safetensors"}


@pytest.mark.parametrize(("kind", "name"), [row[:2] for row in BUILTINS])
def test_every_built_in_component_conforms(kind: str, name: str) -> None:
    cls = discover("").registry.load(kind, name)
    check_component(cls, kind, **{key: value for key, value in REQUIRED.items() if key in cls.model_fields})


@pytest.mark.parametrize("name", [row[1] for row in BUILTINS if row[0] == "solver"])
def test_every_built_in_solver_conforms(name: str) -> None:
    solver = create("solver", name)
    assert isinstance(solver, Solver)
    check_solver(solver)


@pytest.mark.parametrize(
    "name", [row[1] for row in BUILTINS if row[0] == "schedule" and row[1] not in ("explicit", "tuned")]
)
def test_every_built_in_schedule_conforms(name: str) -> None:
    check_schedule(create("schedule", name))  # type: ignore[arg-type]


def test_schedules_that_are_made_for_certain_levels_conform_on_those(tmp_path: Path) -> None:
    own_range = [(LEVELS[-1], LEVELS[0])]
    check_schedule(Explicit(levels=LEVELS), own_range)
    grid = TunedGrid(4, 4, (*LEVELS, 0.0), {"type": "euler"}, LEVELS[-1], LEVELS[0])
    write_grids(tmp_path / "grids.json", [grid], "0" * 64)
    check_schedule(Tuned(path=str(tmp_path / "grids.json")), own_range)
    with pytest.raises(ConformanceError, match=r"sigmas\(4, 0.01, 80.0\) has 0.002 before the 0"):
        check_schedule(Explicit(levels=LEVELS), [(0.01, 80.0)])


def test_what_is_no_component_at_all_is_a_finding() -> None:
    class Alone:
        """No subclass of anything."""

    with pytest.raises(ConformanceError, match=r"no subclass of genaudio\.samplers\.base\.Solver"):
        check_component(Alone, "solver")  # type: ignore[type-var, arg-type]


def test_a_stochastic_solver_is_not_held_to_the_trajectory() -> None:
    check_solver(Heun(s_churn=20.0))

    class Secretive(Heun):
        """It churns and does not say so."""

        @property
        def stochastic(self) -> bool:
            return False

    with pytest.raises(ConformanceError, match="it declares order 2, but converges with"):
        check_solver(Secretive(s_churn=20.0))


class _Undescribed(Euler):
    """A field without a description."""

    factor: float = 1.0


class _Loose(Euler):
    """Mutable, and it swallows whatever it is given."""

    model_config = ConfigDict(frozen=False, extra="ignore")


class _Opaque(Euler):
    """A field that no recipe can hold."""

    device: torch.device = parameter(torch.device("cpu"), description="Where")
    model_config = ConfigDict(arbitrary_types_allowed=True)


class _Unfinished(Solver):
    """It leaves out the methods."""


class _Named(Euler):
    """A field that collides with the recipe's own key."""

    type: str = parameter("x", description="A word")


@pytest.mark.parametrize(
    ("cls", "kind", "words"),
    [
        (_Undescribed, "solver", "the field factor has no description"),
        (_Loose, "solver", "it is not frozen\n  - it accepts unknown fields"),
        (_Opaque, "solver", "does not survive a resolved recipe"),
        (_Unfinished, "solver", "it leaves out"),
        (_Named, "solver", "a field is called 'type'"),
        (Euler, "schedule", "no subclass of genaudio.samplers.schedules.base.Schedule"),
    ],
)
def test_a_component_that_breaks_a_promise_is_caught(cls: type[Any], kind: str, words: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_component(cls, kind)
    assert words in str(caught.value)


class _Boastful(Euler):
    """Euler's method that claims to be of order 2."""

    @property
    def order(self) -> int:
        """More than it is."""
        return 2


class _Miscounting(Euler):
    """Euler's method that hides an evaluation."""

    def evaluations(self, num_steps: int) -> int:
        """One too few."""
        return num_steps - 1


class _Writing(Euler):
    """Euler's method on the tensor that it was given."""

    def step(self, denoiser: Any, x: Any, state: Any, coefficients: Any, generator: Any = None) -> Any:
        """In place."""
        following, state = super().step(denoiser, x, state, coefficients, generator)
        x.copy_(following)
        return x, state


class _Mixing(Euler):
    """Euler's method that lets the items of a batch see each other."""

    def step(self, denoiser: Any, x: Any, state: Any, coefficients: Any, generator: Any = None) -> Any:
        """The mean of the batch is taken out."""
        following, state = super().step(denoiser, x, state, coefficients, generator)
        return following - 1e-3 * following.mean(0, keepdim=True), state


@pytest.mark.parametrize(
    ("solver", "words"),
    [
        (_Boastful(), "it declares order 2, but converges with 1.00"),
        (_Miscounting(), "with 3 steps it declares 2 evaluations, but makes 3"),
        (_Writing(), "it modifies its input"),
        (_Mixing(), "item 0 comes out otherwise alone than in a batch"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Solver) else "",
)
def test_a_solver_that_breaks_a_promise_is_caught(solver: Solver, words: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_solver(solver)
    assert words in str(caught.value)


class _Ascending(Karras):
    """The levels the wrong way round."""

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> torch.Tensor:
        """From 0 up."""
        return super().sigmas(num_steps, sigma_min, sigma_max).flip(0)


def test_a_schedule_that_ascends_is_caught() -> None:
    with pytest.raises(ConformanceError, match="does not descend strictly"):
        check_schedule(_Ascending())


def test_findings_are_listed_together() -> None:
    class Both(_Boastful, _Miscounting):
        """Two promises broken."""

    with pytest.raises(ConformanceError) as caught:
        check_solver(Both())
    findings: Sequence[str] = str(caught.value).split("\n  - ")
    assert len(findings) > 2
