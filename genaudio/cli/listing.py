"""`gen list`: the components there are."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def list_components(
    kind: Annotated[str | None, typer.Argument(help="One kind: solver, network, … Default: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the components that a recipe may name, built-in and from plugins."""
    from genaudio.core.errors import UnknownComponentError
    from genaudio.core.registry import KINDS, suggestion
    from genaudio.plugins.manager import installed

    if kind is not None and kind not in KINDS:
        raise UnknownComponentError(
            f"kind {kind!r}", expected=f"one of {', '.join(KINDS)}", mend=suggestion(kind, KINDS)
        )
    found = installed()
    entries = found.registry.entries(kind)
    if as_json:
        rows = [
            {"kind": e.kind, "name": e.name, "summary": e.summary, "distribution": e.distribution, "version": e.version}
            for e in entries
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max((len(entry.name) for entry in entries), default=0)
    for name in [kind] if kind else KINDS:
        of_kind = [entry for entry in entries if entry.kind == name]
        if not of_kind and kind is None:
            continue
        typer.echo(f"{name}  ({KINDS[name].summary})")
        for entry in of_kind:
            origin = "" if entry.distribution == "genaudio" else f"  [{entry.distribution} {entry.version}]"
            typer.echo(f"  {entry.name:<{width}}  {entry.summary}{origin}")
        if not of_kind:
            typer.echo("  (none installed)")
    broken = [plugin for plugin in found.plugins if plugin.error]
    if broken:
        names = ", ".join(plugin.distribution for plugin in broken)
        typer.echo(f"not loaded: {names}; see `gen plugins`", err=True)
