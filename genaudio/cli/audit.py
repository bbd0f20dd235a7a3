"""`gen audit`: which generated clips are copies of training clips?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genaudio.cli.options import Device

ABOVE = 3  # the exit code of a share of copies above --fail-above


def audit(
    generated: Annotated[
        Path, typer.Option("--generated", help="Folder of generated clips, or a run directory for its samples.")
    ],
    training: Annotated[
        Path,
        typer.Option("--training", help="Folder of the training clips, or a recipe (.yaml) for those of its dataset."),
    ],
    held_out: Annotated[
        Path | None,
        typer.Option(
            "--held-out",
            help="Folder of real clips that were not trained on, to calibrate with. Default: a recipe's validation "
            "clips if it has any, else the training clips among themselves.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the audit: false_alarm_rate=0.001. Repeatable."),
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            "--embedding",
            help="What EDMSound's measure hears, and adds to the likeness of clips. Default: mel_statistics, for the "
            "measure alone.",
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option("--window", min=0.1, help="Seconds of the windows of EDMSound's measure. Default: whole clips."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the embedding on triplets of training clips first, as EDMSound does.")
    ] = False,
    search: Annotated[
        Literal["exact", "faiss", "faiss_ivf"],
        typer.Option(
            "--search",
            help="What finds the nearest windows of EDMSound's measure: exact, faiss (exact too), or faiss_ivf "
            "(approximate). For faiss: pip install 'genaudio[faiss]'.",
        ),
    ] = "exact",
    json: Annotated[Path | None, typer.Option("--json", help="File to write everything found to.")] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="HTML page to write: the worst offenders beside their sources.")
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above",
            min=0,
            max=1,
            help="Exit with code 3 if a larger share of clips are copies, with 2 if no clip had sound to compare.",
        ),
    ] = None,
    device: Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary and no progress.")] = False,
) -> None:
    """Search generated clips for copies of training clips: whole ones, and such as are stitched from several."""
    from genaudio.core.errors import RunError
    from genaudio.core.progress import Progress
    from genaudio.runs.audit.table import text
    from genaudio.runs.auditing import audit_paths
    from genaudio.runs.progress import ConsoleProgress

    found = audit_paths(
        generated,
        training,
        held_out=held_out,
        settings=set_ or (),
        embedding=embedding,
        window=window,
        tune=tune,
        search=search,
        json_file=json,
        page=page,
        device=device,
        progress=Progress() if quiet else ConsoleProgress(),
    )
    if not quiet:
        typer.echo(text(found.as_json()))
    if fail_above is not None and not found.compared:
        raise RunError(
            f"none of the {len(found.result.clips)} generated clips had anything to compare",
            expected="clips that hold as much sound as a patch is long, for --fail-above to tell copies among",
            mend="listen to them: a gate that silence passes is none",
        )
    share = len(found.result.copies) / len(found.result.clips)
    if fail_above is not None and share > fail_above:
        typer.echo(
            f"{len(found.result.copies)} of {len(found.result.clips)} clips ({100 * share:.3g}%) are copies; "
            f"--fail-above allows {100 * fail_above:.3g}%",
            err=True,
        )
        raise typer.Exit(ABOVE)
