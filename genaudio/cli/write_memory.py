"""`gen write-memory`: the training items that anti-memorization guidance leads away from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def write_memory(
    recipe: Annotated[Path, typer.Argument(help="The recipe whose training clips are written.")],
    out: Annotated[Path, typer.Option("--out", help="File (.safetensors) to write.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a value of the recipe: dataset.root=sounds. Repeatable.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Most clips to write; needed where the dataset has no end. Default: all."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the file alone.")] = False,
) -> None:
    """Write a recipe's training clips, encoded, for `guidance: {type: anti_memorization, memory: FILE}`."""
    from genaudio.core.progress import Progress
    from genaudio.core.recipe import load_recipe
    from genaudio.runs.memory import write_memory_of
    from genaudio.runs.progress import ConsoleProgress

    write_memory_of(
        load_recipe(recipe, set_ or ()), out, limit=limit, progress=Progress() if quiet else ConsoleProgress()
    )
    typer.echo(out)
