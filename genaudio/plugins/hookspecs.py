"""The hooks that a plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
