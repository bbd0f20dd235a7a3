"""`gen train-classifier`: the classifier of a labelled dataset, which metrics hear with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def train_classifier(
    source: Annotated[
        Path, typer.Argument(help="A recipe, for its dataset; or a folder with a sub-folder of sound files a class.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="New or empty folder; default: classifiers/<name of the source>.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a value: dataset.duration=4, dataset.root=DIR. Repeatable."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Batches of 32 clips to learn from. Default: 1200.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed; equal seeds give equal weights.")
    ] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured, and how, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder alone.")] = False,
) -> None:
    """Train a classifier of a labelled dataset, and measure it on held-out clips, clean and in noise."""
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.classifier import ClassifierRequest, dataset_of, make_classifier, table
    from genaudio.runs.progress import ConsoleProgress

    keep_freed_memory()
    name, dataset = dataset_of(source, set_ or ())
    folder = Path("classifiers") / name if out is None else out
    request = ClassifierRequest(seed=seed, device=device)
    if steps is not None:
        request = replace(request, steps=steps)
    facts = make_classifier(dataset, folder, request, Progress() if quiet or as_json else ConsoleProgress())
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    if not quiet:
        typer.echo(table(facts))
    typer.echo(folder)
