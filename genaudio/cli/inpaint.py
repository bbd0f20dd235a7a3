"""`gen inpaint`: parts of a clip made anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from genaudio.cli import options


def inpaint(
    model: options.Model,
    clip: options.Clip,
    out: options.Folder,
    span: Annotated[
        list[str] | None, typer.Option("--span", help="Time to make anew, in s: 0.2:0.5. Repeatable.")
    ] = None,
    band: Annotated[
        list[str] | None, typer.Option("--band", help="Frequencies to make anew, in Hz: 1000:4000. Repeatable.")
    ] = None,
    resample: Annotated[
        int, typer.Option("--resample", min=1, help="Times that each stretch is gone; more fits better, and costs it.")
    ] = 1,
    count: Annotated[int, typer.Option("--count", min=1, help="Clips.")] = 4,
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
    """Make spans or bands of a clip anew and keep the rest, with a manifest and a page to compare them."""
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.blocks import sampler_overrides
    from genaudio.runs.editing.clip import Source, edit_label
    from genaudio.runs.editing.files import write_edits
    from genaudio.runs.editing.inpainting import inpainting
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.samples import SampleRequest

    options.check_bit_depth(bit_depth)
    spans, bands = _ranges("--span", span or (), "0.2:0.5"), _ranges("--band", band or (), "1000:4000")
    keep_freed_memory()
    trained = load(model, device)
    source = Source.of(trained, clip, start)
    request = SampleRequest(
        labels=(edit_label(trained, label),),
        clips_per_label=count,
        plan=trained.plan_of(sampler_overrides(trained, set_ or ()), nfe, num_steps),
        seed=seed,
        first_index=first_index,
        batch_size=batch_size,
        format=file_format,
        bit_depth=bit_depth,
        course=inpainting(trained, source.waveform, spans, bands, resample),
        edit={
            "kind": "inpainting",
            "clip": source.facts(),
            "spans": [list(one) for one in spans],
            "bands": [list(one) for one in bands],
            "resample": resample,
        },
    )
    write_edits(trained, request, source, out, Progress() if quiet else ConsoleProgress())
    typer.echo(out)


def _ranges(option: str, texts: Sequence[str], example: str) -> list[tuple[float, float]]:
    from genaudio.core.errors import GenaudioError

    ranges = []
    for text in texts:
        try:
            low, high = (float(part) for part in text.split(":"))
        except ValueError:
            raise GenaudioError(
                f"{option} {text}", expected=f"two numbers with a colon between them: {option} {example}"
            ) from None
        ranges.append((low, high))
    return ranges
