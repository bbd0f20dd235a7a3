"""The components that a benchmark compares: from the words of a command line, or a set that is sensible by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import genaudio
from genaudio.core.component import Component
from genaudio.core.errors import RunError
from genaudio.core.yaml_positions import parse_yaml
from genaudio.core.yaml_writer import inline
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe
from genaudio.runs.model import Model
from genaudio.runs.schedule_tuning import grids_file

SOLVERS = ("auto", "euler", "heun", "dpm", "unipc", "exponential_integrator")
SCHEDULES = ("auto", "karras")


def contenders(kind: str, texts: Sequence[str]) -> dict[str, Any]:
    """Components by their short names, each once; raises `GenaudioError` for what is no component of the kind."""
    return _named(kind, [parsed(kind, text) for text in texts])


def default_solvers(model: Model) -> dict[str, Any]:
    """The model's own solver, and one of each basic sort."""
    return _named("solver", [_own(model, "solver"), *(genaudio.create("solver", name) for name in SOLVERS)])


def default_schedules(model: Model, run: Path) -> dict[str, Any]:
    """The model's own schedule, Karras', and the tuned one where the model has one."""
    names = [*SCHEDULES, *(["tuned"] if grids_file(run).exists() and "tuned" in registry().names("schedule") else [])]
    return _named("schedule", [_own(model, "schedule"), *(genaudio.create("schedule", name) for name in names)])


def default_embedding(model: Model) -> Any:
    """Mel statistics at the rate of the model's clips, so that nothing is resampled."""
    return genaudio.create("embedding", "mel_statistics", rate=model.sample_rate)


def parsed(kind: str, text: str) -> Any:
    """`heun` or `{type: dpm, order: 3}` as a component."""
    document = parse_yaml(text, f"--{kind} {text}")
    if document.problems:
        raise RunError.of(document.problems)
    given = document.data
    block = {"type": given} if isinstance(given, str) else given
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        example = "{type: karras, rho: 5}" if kind == "schedule" else f"{{type: {registry().names(kind)[0]}}}"
        raise RunError(f"--{kind} {text}", expected=f"a {kind}'s name, or a mapping with 'type', as in {example}")
    return genaudio.create(kind, **block)


def short_name(kind: str, component: Component) -> str:
    """The type, and the fields that are not at their defaults: `dpm order=3`."""
    fields = type(component).model_fields
    described = cast("dict[str, Any]", describe(kind, component))
    plain = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    changed = [name for name in fields if getattr(component, name) != plain[name]]
    return " ".join([str(described["type"]), *(f"{name}={inline(described[name])}" for name in changed)])


def _own(model: Model, kind: str) -> Component:
    return cast(Component, model.components[kind])


def _named(kind: str, components: Sequence[Component]) -> dict[str, Any]:
    return {short_name(kind, component): component for component in components}
