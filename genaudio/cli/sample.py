"""`gen sample`: clips from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def sample(
    model: Annotated[Path, typer.Argument(help="A run directory, or an exported model folder.")],
    out: Annotated[Path, typer.Option("--out", help="New or empty folder for the clips and their manifest.")],
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Class to generate; repeatable. Default: every class.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Clips for each label.")] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed; equal seeds give equal clips.")] = 0,
    nfe: Annotated[int | None, typer.Option("--nfe", min=1, help="Budget in evaluations of the network.")] = None,
    num_steps: Annotated[int | None, typer.Option("--num-steps", min=1, help="Budget in solver steps.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another sampler: solver=heun, guidance.type=cfg, guidance.scale=3. Repeatable."),
    ] = None,
    first_index: Annotated[int, typer.Option("--first-index", min=0, help="Number of the first clip.")] = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Clips in memory together.")] = 16,
    file_format: Annotated[Literal["wav", "flac"], typer.Option("--format", help="wav or flac.")] = "wav",
    bit_depth: Annotated[int, typer.Option("--bit-depth", help="16 or 24 bits a sample.")] = 16,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder alone.")] = False,
) -> None:
    """Generate clips from a trained model into a folder, with a manifest of how they were made."""
    from genaudio.core.errors import GenaudioError
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.model import load, sampler_overrides
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.samples import SampleRequest, write_samples

    if bit_depth not in (16, 24):
        raise GenaudioError(f"--bit-depth {bit_depth}", expected="16 or 24")
    keep_freed_memory()
    trained = load(model, device)
    labels: tuple[str | None, ...] = tuple(
        dict.fromkeys(label) if label else (trained.classes if trained.conditional else (None,))
    )
    for name in labels:
        trained.label_number(name)
    plan = trained.plan_of(sampler_overrides(trained, set_ or ()), nfe, num_steps)
    request = SampleRequest(
        labels=labels,
        clips_per_label=count,
        plan=plan,
        seed=seed,
        first_index=first_index,
        batch_size=batch_size,
        format=file_format,
        bit_depth=bit_depth,
    )
    write_samples(trained, request, out, Progress() if quiet else ConsoleProgress())
    typer.echo(out)
