"""`gen vary`: variations of a clip."""

from __future__ import annotations

from typing import Annotated

import typer

from genaudio.cli import options


def vary(
    model: options.Model,
    clip: options.Clip,
    out: options.Folder,
    strength: Annotated[
        float, typer.Option("--strength", help="How far from the clip, from 0 (it is given back) to 1 (all new).")
    ] = 0.5,
    count: Annotated[int, typer.Option("--count", min=1, help="Variations.")] = 4,
    label: options.Label = None,
    start: options.Start = None,
    seed: options.Seed = 0,
    nfe: options.Nfe = None,
    num_steps: options.NumSteps = None,
    set_: options.Set = None,
    first_index: options.FirstIndex = 0,
    batch_size: options.BatchSize = 16,
    file_format: options.Format = "wav",
    bit_depth: options.BitDepth = 16,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Make variations of a clip, with a manifest and a page. The budget is a generation's; a variation takes a part."""
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.blocks import sampler_overrides
    from genaudio.runs.editing.clip import Source, edit_label
    from genaudio.runs.editing.files import write_edits
    from genaudio.runs.editing.variation import variation
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.samples import SampleRequest

    options.check_bit_depth(bit_depth)
    keep_freed_memory()
    trained = load(model, device)
    source = Source.of(trained, clip, start)
    course = variation(trained, source.waveform, strength)
    request = SampleRequest(
        labels=(edit_label(trained, label),),
        clips_per_label=count,
        plan=trained.plan_of(sampler_overrides(trained, set_ or ()), nfe, num_steps),
        seed=seed,
        first_index=first_index,
        batch_size=batch_size,
        format=file_format,
        bit_depth=bit_depth,
        course=course,
        edit={"kind": "variation", "clip": source.facts(), "strength": strength, "sigma": course.sigma},
    )
    write_edits(trained, request, source, out, Progress() if quiet else ConsoleProgress())
    typer.echo(out)
