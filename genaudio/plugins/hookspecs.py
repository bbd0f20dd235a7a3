"""The hooks that a plugin may implement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from genaudio.core.registry import Registry

PROJECT = "genaudio"
ENTRY_POINT_GROUP = "genaudio.v1"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def genaudio_register(registry: Registry) -> None:
    """Register components: `registry.add(kind, name, "package.module:Class", summary)` once for each.

    Called once, when components are first looked up. Import nothing heavy here: targets are strings.
    """


# Observers: told what happens, each alone; what they return is not looked at, and an exception of one is reported once
# and stops neither the run nor the other observers.


@hookspec
def genaudio_step_end(step: int, metrics: dict[str, Any]) -> None:
    """Training has logged step `step`; `metrics` is the line of metrics.jsonl: loss, learning rate, …"""


@hookspec
def genaudio_stage_end(stage: str, directory: Path) -> None:
    """A stage of a run (train, sample, evaluate, audit, report) has ended; its files are in `directory`."""


@hookspec
def genaudio_run_end(directory: Path) -> None:
    """A run has ended, all of its stages done; its files are in `directory`."""
