"""A plugin for genaudio: the hook by which it offers its components. It imports nothing heavy; targets are strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genaudio import hookimpl

if TYPE_CHECKING:
    from genaudio.core.registry import Registry


@hookimpl
def genaudio_register(registry: Registry) -> None:
    """Offer the solver `acme/two_stage`."""
    registry.add("solver", "acme/two_stage", "acme_solvers.two_stage:TwoStage", "Two evaluations a step, order 2")
