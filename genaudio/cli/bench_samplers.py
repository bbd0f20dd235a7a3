"""`gen bench-samplers`: which solver, on which noise levels, at which budget, for a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench_samplers(
    run: Annotated[Path, typer.Argument(help="A run directory, or an exported model folder.")],
    solver: Annotated[
        list[str] | None,
        typer.Option("--solver", help="Solver to compare: heun, '{type: dpm, order: 3}'. Repeatable."),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option("--schedule", help="Schedule to compare: tuned, '{type: karras, rho: 5}'. Repeatable."),
    ] = None,
    nfe: Annotated[
        list[int] | None,
        typer.Option("--nfe", help="Budget in evaluations; repeatable. Default: 5, 8, 10, 15, 20, 30 and 50."),
    ] = None,
    items: Annotated[int, typer.Option("--items", min=1, help="Clips for each cell of the table.")] = 16,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Class to sample; repeatable. Default: every class.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric against real clips; repeatable. Default: fad.")
    ] = None,
    embedding: Annotated[
        str | None,
        typer.Option("--embedding", help="What metrics hear. Default: mel_statistics at the model's sample rate."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="Share by which a metric may differ from the reference's.")
    ] = 0.05,
    reference_steps: Annotated[
        int, typer.Option("--reference-steps", min=10, help="Steps of the solution that counts as exact.")
    ] = 200,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; default: RUN/bench-samplers.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed; clips as gen sample makes.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder alone.")] = False,
) -> None:
    """Compare solvers, schedules and budgets on a trained model: error, metric, and what to use."""
    from genaudio.core.errors import GenaudioError
    from genaudio.core.progress import Progress
    from genaudio.runs.allocator import keep_freed_memory
    from genaudio.runs.benchmark_tables import recommendation, text, write_results
    from genaudio.runs.contenders import contenders, default_embedding, default_schedules, default_solvers, parsed
    from genaudio.runs.model import load
    from genaudio.runs.progress import ConsoleProgress
    from genaudio.runs.sampler_benchmark import BenchmarkRequest, run_benchmark
    from genaudio.runs.starts import labels_of

    budgets = tuple(sorted(set(nfe or (5, 8, 10, 15, 20, 30, 50))))
    if budgets[0] < 1:
        raise GenaudioError(f"--nfe {budgets[0]}", expected="at least 1")
    keep_freed_memory()
    model = load(run, device)
    request = BenchmarkRequest(
        solvers=contenders("solver", solver) if solver else default_solvers(model),
        schedules=contenders("schedule", schedule) if schedule else default_schedules(model, run),
        nfe=budgets,
        labels=labels_of(model, label),
        items=items,
        reference_steps=reference_steps,
        seed=seed,
        metrics=contenders("metric", metric or ["fad"]),
        embedding=parsed("embedding", embedding) if embedding else default_embedding(model),
    )
    folder = out or run / "bench-samplers"
    results = run_benchmark(model, run, request, folder, Progress() if quiet else ConsoleProgress())
    results["recommendation"] = recommendation(results, tolerance)
    write_results(results, folder)
    if not quiet:
        typer.echo(text(results))
    typer.echo(folder)
