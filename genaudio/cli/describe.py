"""`gen describe`: one component and its parameters."""

from __future__ import annotations

import inspect
import json
import textwrap
from typing import Annotated, Any

import typer


def describe(
    kind: Annotated[str, typer.Argument(help="Its kind: solver, network, …")],
    name: Annotated[str, typer.Argument(help="Its name, as a recipe writes it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a component: what it is, and each field with type, default, bounds, unit and source."""
    from genaudio.core.fields import field_cards
    from genaudio.core.yaml_writer import inline
    from genaudio.plugins.manager import registry

    entry = registry().entry(kind, name)
    cls = registry().load(kind, name)
    cards = field_cards(cls)
    text = inspect.cleandoc(cls.__doc__ or entry.summary)
    if as_json:
        fields = [
            {
                "name": card.name,
                "type": card.type,
                "required": card.required,
                "default": _plain(card.default),
                "bounds": card.bounds,
                "unit": card.unit,
                "description": card.description,
                "source": card.source,
            }
            for card in cards
        ]
        head = {"kind": kind, "name": name, "summary": entry.summary, "target": entry.target, "text": text}
        origin = {"distribution": entry.distribution, "version": entry.version}
        typer.echo(json.dumps({**head, **origin, "fields": fields}, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{kind} {name}  ({entry.target}, {f'{entry.distribution} {entry.version}'.rstrip()})")
    typer.echo(textwrap.indent(text, "  "))
    if isinstance(source := getattr(cls, "source", None), str):
        typer.echo(textwrap.indent(textwrap.fill(f"Data: {source}.", 108), "  "))
    if not cards:
        typer.echo("\n  It has no parameters.")
    for card in cards:
        default = "required" if card.required else f"default {inline(_plain(card.default))}"
        unit = f" {card.unit}" if card.unit and not card.required and card.default is not None else ""
        typer.echo(f"\n  {card.name}: {', '.join(part for part in (card.type, card.bounds) if part)}; {default}{unit}")
        typer.echo(textwrap.indent(textwrap.fill(card.description, 108), "      "))
        if card.required and card.unit:
            typer.echo(f"      unit: {card.unit}")
        if card.source:
            typer.echo(f"      source: {card.source}")


def _plain(value: Any) -> Any:
    """A default as YAML and JSON can hold it."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
