"""One kind of error for everything that a user can mend: what was given, what was expected, the mend, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Self


@dataclass(frozen=True)
class Position:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.file, self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `given` says what was found, `expected` what would be right, `mend` what to do."""

    given: str
    expected: str = ""
    mend: str = ""
    path: str = ""
    position: Position | None = None

    def __str__(self) -> str:
        head = "  ".join(str(part) for part in (self.position, self.path) if part)
        lines = [f"{head}\n    given     {self.given}" if head else self.given]
        if self.expected:
            lines.append(f"    expected  {self.expected}")
        if self.mend:
            lines.append(f"    mend      {self.mend}")
        return "\n".join(lines)


class GenaudioError(Exception):
    """An error that its user can mend; the command line prints it without a traceback and exits with `exit_code`."""

    exit_code: ClassVar[int] = 2

    def __init__(self, given: str, *, expected: str = "", mend: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(given, expected, mend),)
        super().__init__(str(self))

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """All of `problems` as one error."""
        error = cls.__new__(cls)
        error.problems = tuple(problems)
        Exception.__init__(error, str(error))
        return error

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RecipeError(GenaudioError):
    """A recipe that cannot be used as it is; `problems` holds everything that is wrong with it."""


class PluginError(GenaudioError):
    """A plugin that could not be loaded, or a component that is not what its plugin says."""


class UnknownComponentError(GenaudioError):
    """A component name that no built-in and no installed plugin provides."""


class DataError(GenaudioError):
    """Audio that is missing, unreadable, empty or silent."""


class RunError(GenaudioError):
    """A run directory that cannot be used as asked, or a run that had to stop."""


class Interrupted(GenaudioError):  # noqa: N818 - a request that was met, not a mistake
    """A stop that was asked for and met: everything is saved; the message says how to go on."""

    exit_code = 130


@contextmanager
def problems_at(path: str) -> Iterator[None]:
    """Whatever a user can mend and is raised within gets `path`, unless it says itself where it is."""
    try:
        yield
    except Interrupted:
        raise
    except GenaudioError as error:
        raise type(error).of([replace(problem, path=problem.path or path) for problem in error.problems]) from error
