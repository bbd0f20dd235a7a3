"""`gen tune-schedule`: the noise levels of a trained model, optimised for its solver and a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tune_schedule(
    run: Annotated[Path, typer.Argument(help="A run directory, or an exported model folder.")],
    nfe: Annotated[
        list[int] | None,
        typer.Option("--nfe", help="Budget in evaluations to tune for; repeatable. Default: the recipe's."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another sampler: solver=heun, guidance.scale=3, schedule.rho=5. Repeatable."),
    ] = None,
    items: Annotated[
        int, typer.Option("--items", min=2, help="Clips to tune on, and as many others to judge by.")
    ] = 12,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Class to tune for; repeatable. Default: every class.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed of the noises and the search.")] = 0,
    evaluations: Annotated[
        int | None,
        typer.Option("--evaluations", min=1, help="Most evaluations of the network in the search for each budget."),
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option("--budget-seconds", min=0, help="Most time for all searches together, in seconds.")
    ] = None,
    reference_steps: Annotated[
        int, typer.Option("--reference-steps", min=10, help="Steps of the solution that counts as exact.")
    ] = 200,
    move_last: Annotated[
        bool, typer.Option("--move-last", help="Let the last level rise above sigma_min where that helps.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the file alone.")] = False,
) -> None:
    """Optimise the noise levels of a trained model for a solver and a budget; `--set schedule=tuned` then uses them."""
    from genaudio.core.errors import GenaudioError
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.schedule_tuning import TuningRequest, grids_file, plans, table, tune_schedules
    from genaudio.runs.starts import labels_of

    keep_freed_memory()
    model = load(run, device)
    budgets = nfe or [model.card["budget"].get("nfe")]
    if None in budgets:
        raise GenaudioError(
            "no --nfe, and the recipe's budget is not in evaluations", expected="a budget", mend="give --nfe 10"
        )
    request = TuningRequest(
        nfe=tuple(dict.fromkeys(budgets)),
        labels=labels_of(model, label),
        items=items,
        seed=seed,
        evaluations=evaluations,
        seconds=budget_seconds,
        reference_steps=reference_steps,
        move_last=move_last,
    )
    path = grids_file(run)
    found = plans(model, set_ or (), request)
    grids = tune_schedules(model, found, request, path, Progress() if quiet else ConsoleProgress())
    if not quiet:
        typer.echo(table(grids))
    typer.echo(path)
