"""`gen evaluate`: metrics of generated clips, most beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genaudio.cli.options import Device


def evaluate(
    generated: Annotated[
        Path, typer.Option("--generated", help="Folder of generated clips, or a run directory for its samples.")
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            help="Folder of real clips, a recipe (.yaml) for its dataset, or reference statistics (.safetensors).",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="fad, '{type: kad, scale: 1}'; repeatable. Default: fad and kad."),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            "--embedding",
            help="What metrics hear. Default: that of reference statistics, else mel_statistics at the clips' rate.",
        ),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option("--split", help="Which clips of a recipe's dataset are the reference. Default: train."),
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="File to write the results to.")] = None,
    save_reference: Annotated[
        Path | None,
        typer.Option("--save-reference", help="File (.safetensors) to write the reference's statistics to."),
    ] = None,
    device: Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table and no progress.")] = False,
) -> None:
    """Measure generated clips, most often beside real ones: each figure with its interval and how it was computed."""
    from genaudio.core.progress import Progress
    from genaudio.runs.evaluating import evaluate as measured
    from genaudio.runs.evaluation.table import text
    from genaudio.runs.progress import ConsoleProgress

    results = measured(
        generated,
        reference,
        metrics=metric or (),
        embedding=embedding,
        split=split,
        json_file=json,
        save_reference=save_reference,
        device=device,
        progress=Progress() if quiet else ConsoleProgress(),
    )
    if not quiet:
        typer.echo(text(results))
