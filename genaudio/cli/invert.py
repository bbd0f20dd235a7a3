"""`gen invert`: the noise of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genaudio.cli import options

POOR_DB = 20.0  # a round trip below this is heard to be another sound


def invert(
    model: options.Model,
    clip: options.Clip,
    out: Annotated[Path, typer.Option("--out", help="New file for the noise: NAME.safetensors.")],
    label: options.Label = None,
    start: options.Start = None,
    nfe: options.Nfe = None,
    num_steps: options.NumSteps = None,
    set_: options.Set = None,
    device: options.Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the file alone.")] = False,
) -> None:
    """Write the noise that a clip comes from, for `gen sample --noise`, and say how near the way back comes."""
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.blocks import sampler_overrides
    from genaudio.runs.editing.clip import Source, edit_label
    from genaudio.runs.editing.noise_file import write_inversion
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress

    keep_freed_memory()
    trained = load(model, device)
    source = Source.of(trained, clip, start)
    plan = trained.plan_of(sampler_overrides(trained, set_ or ()), nfe, num_steps)
    progress = Progress() if quiet else ConsoleProgress()
    facts = write_inversion(trained, plan, source, edit_label(trained, label), out, progress)
    progress.say(
        f"invert: noise of standard deviation {facts['noise_std']:g}; on the way back, {facts['num_steps']} steps, the "
        f"clip comes out with an error {facts['round_trip_db']:g} dB below it"
    )
    if facts["round_trip_db"] < POOR_DB:
        progress.say("invert: that is far from the clip; more steps bring it nearer, and so does guidance.scale=1")
    typer.echo(out)
