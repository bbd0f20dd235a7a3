"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[Path, typer.Argument(help="A run directory, or an exported model folder.")]
Clip = Annotated[Path, typer.Argument(help="A sound file: wav, flac, ogg or mp3, of any rate.")]
Folder = Annotated[Path, typer.Option("--out", help="New or empty folder for the clips and their manifest.")]
Label = Annotated[str | None, typer.Option("--label", help="Class that the model is to make of it.")]
Start = Annotated[
    float | None, typer.Option("--start", min=0, help="Where to begin in a clip that is longer than the model's, in s.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed; equal seeds give equal clips.")]
Nfe = Annotated[int | None, typer.Option("--nfe", min=1, help="Budget in evaluations of the network.")]
NumSteps = Annotated[int | None, typer.Option("--num-steps", min=1, help="Budget in solver steps.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another sampler: solver=heun, guidance.type=cfg, guidance.scale=3. Repeatable."),
]
FirstIndex = Annotated[int, typer.Option("--first-index", min=0, help="Number of the first clip.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Clips in memory together.")]
Format = Annotated[Literal["wav", "flac"], typer.Option("--format", help="wav or flac.")]
BitDepth = Annotated[int, typer.Option("--bit-depth", help="16 or 24 bits a sample.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder alone.")]


def check_bit_depth(bit_depth: int) -> None:
    """Raise `GenaudioError` unless it is 16 or 24."""
    from genaudio.core.errors import GenaudioError

    if bit_depth not in (16, 24):
        raise GenaudioError(f"--bit-depth {bit_depth}", expected="16 or 24")
