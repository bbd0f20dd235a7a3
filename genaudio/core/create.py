"""Components by name, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError, Problem
from genaudio.core.validation import problems_of


def create(kind: str, type: str, **parameters: Any) -> Component:  # noqa: A002 - the word that recipes use
    """The component `type` of a kind, built-in or from a plugin, with the given parameters.

    >>> create("solver", "heun").order
    2

    Raises `GenaudioError` with everything that is wrong with the parameters.
    """
    return create_at(f"{kind} {type}: ", kind, type, parameters)


def create_at(place: str, kind: str, type: str, parameters: Mapping[str, Any]) -> Component:  # noqa: A002
    """`create`, for a component that stands at `place`, which the paths of problems begin with."""
    from genaudio.plugins.manager import registry  # late: `core` stands below `plugins`

    if not isinstance(type, str):
        raise GenaudioError(f"{kind} type {type!r}", expected=f"a name: {', '.join(registry().names(kind))}")
    cls = registry().load(kind, type)
    try:
        return cls.model_validate(parameters)
    except ValidationError as error:
        problems: Sequence[Problem] = problems_of(error, parameters, cls)
    except GenaudioError as error:  # the component's own validator spoke in our terms
        problems = error.problems
    raise GenaudioError.of([replace(p, path=place + p.path if p.path else place.rstrip(":. ")) for p in problems])
