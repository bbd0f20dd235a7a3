"""`gen plugins`: what is installed, and why a broken plugin failed."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    tracebacks: Annotated[bool, typer.Option("--traceback", help="Show the traceback of broken plugins.")] = False,
) -> None:
    """List plugins: distribution, version, components, observers, and why a broken one failed."""
    from genaudio.plugins.manager import installed

    found = installed().plugins
    if as_json:
        rows = [
            {
                "distribution": plugin.distribution,
                "version": plugin.version,
                "entry_point": plugin.entry_point,
                "components": [f"{kind}:{name}" for kind, name in plugin.components],
                "observers": list(plugin.observers),
                "error": plugin.error or None,
            }
            for plugin in found
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for plugin in found:
        typer.echo(f"{plugin.distribution} {plugin.version}".rstrip() + f"  ({plugin.entry_point})")
        if plugin.error:
            typer.echo("  not loaded")
            for line in (plugin.traceback if tracebacks and plugin.traceback else plugin.error).splitlines():
                typer.echo(f"    {line}")
        kinds = dict.fromkeys(kind for kind, _ in plugin.components)
        for kind in kinds:
            typer.echo(f"  {kind}: {', '.join(name for k, name in plugin.components if k == kind)}")
        if plugin.observers:
            typer.echo(f"  observes: {', '.join(plugin.observers)}")
