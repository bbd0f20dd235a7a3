"""`gen run`: train, sample, evaluate, audit and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe to run.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; default: runs/<name of the recipe>.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a value of the recipe: training.steps=100.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Do this stage alone: train, sample, evaluate, audit or report. Repeatable."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Stop after this stage.")] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Do finished stages again, or what a changed recipe affects; nothing is deleted."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the report alone.")] = False,
) -> None:
    """Train, sample, evaluate, audit and report, in one directory. What is finished is skipped, the rest goes on."""
    from genaudio.core.recipe import open_recipe
    from genaudio.runs.pipeline import run as run_recipe

    loaded = open_recipe(recipe, set_ or ())
    for notice in loaded.notices:
        typer.echo(notice, err=True)
    with loaded.placing():
        directory = run_recipe(loaded.recipe, out, only=only, until=until, force=force, quiet=quiet)
    report = directory / "report.html"
    typer.echo(report if report.exists() else directory)
