"""`gen export`: a trained model as one folder to give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="A run directory whose training has ended.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the model.")],
    checkpoint: Annotated[
        int | None,
        typer.Option(
            "--checkpoint", min=1, help="Take the averaged weights after this step instead, from RUN/checkpoints."
        ),
    ] = None,
) -> None:
    """Copy the trained model of a run into a folder of its own, after checking that it is whole."""
    from genaudio.core.errors import RunError
    from genaudio.runs.model import load, load_checkpoint

    model = load(run, device="cpu") if checkpoint is None else load_checkpoint(run, checkpoint)
    if out.exists():
        raise RunError(f"{out} exists", expected="a path where nothing is", mend="choose another with --out")
    model.save(out)
    typer.echo(out)
