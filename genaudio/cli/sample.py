"""`gen sample`: clips from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genaudio.cli import options


def sample(
    model: options.Model,
    out: options.Folder,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Class to generate; repeatable. Default: every class.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Clips for each label. Default: 8.")] = None,
    seed: options.Seed = 0,
    nfe: options.Nfe = None,
    num_steps: options.NumSteps = None,
    set_: options.Set = None,
    noise: Annotated[
        Path | None,
        typer.Option(
            "--noise", help="Noise to start from, a file of `gen invert`, with its label, sampler and steps by default."
        ),
    ] = None,
    reject_copies: Annotated[
        Path | None,
        typer.Option(
            "--reject-copies",
            help="Make copies of training clips anew: their folder, or a recipe (.yaml) for its dataset.",
        ),
    ] = None,
    tries: Annotated[
        int, typer.Option("--tries", min=1, help="How often a copy is made anew before the command fails.")
    ] = 5,
    first_index: options.FirstIndex = 0,
    batch_size: options.BatchSize = 16,
    file_format: options.Format = "wav",
    bit_depth: options.BitDepth = 16,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Generate clips from a trained model into a folder, with a manifest of how they were made."""
    from genaudio.core.errors import GenaudioError
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.audit.sources import screen_of
    from genaudio.runs.blocks import sampler_overrides
    from genaudio.runs.course import GENERATION, Course
    from genaudio.runs.editing.noise_file import NoiseSource
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.samples import SampleRequest, write_samples

    options.check_bit_depth(bit_depth)
    if reject_copies is not None and noise is not None:
        raise GenaudioError("--reject-copies and --noise", expected="one of them: the file's noise gives one clip")
    keep_freed_memory()
    trained = load(model, device)
    labels: tuple[str | None, ...] = tuple(
        dict.fromkeys(label) if label else (trained.classes if trained.conditional else (None,))
    )
    course: Course = GENERATION
    edit = None
    if noise is not None:
        source = NoiseSource.of(trained, noise)
        if count is not None:
            raise GenaudioError(
                f"--count {count} and --noise",
                expected=f"one of them: the file makes {len(source.noise)} of each label",
            )
        count, course, edit = len(source.noise), source.course(first_index), source.facts
        trained, labels = source.sampler_of(trained), tuple(dict.fromkeys(label)) if label else (source.label,)
        if nfe is None and num_steps is None:
            num_steps = source.num_steps
    for name in labels:
        trained.label_number(name)
    progress = Progress() if quiet else ConsoleProgress()
    screen = None
    if reject_copies is not None:
        screen = screen_of(reject_copies, tries=tries, device=device, progress=progress)
    request = SampleRequest(
        labels=labels,
        clips_per_label=8 if count is None else count,
        plan=trained.plan_of(sampler_overrides(trained, set_ or ()), nfe, num_steps),
        seed=seed,
        first_index=first_index,
        batch_size=batch_size,
        format=file_format,
        bit_depth=bit_depth,
        course=course,
        edit=edit,
        screen=screen,
    )
    write_samples(trained, request, out, progress)
    typer.echo(out)
