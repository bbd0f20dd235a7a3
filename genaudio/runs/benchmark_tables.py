"""What a benchmark of samplers comes to: tables for people, rows for a spreadsheet, and a recommendation."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genaudio.core.files import atomic_file, write_json, write_text
from genaudio.reports.sampler_plot import Line, Panel, png

Results = Mapping[str, Any]
Row = Mapping[str, Any]


def write_results(results: Results, folder: Path) -> None:
    """Write `results.json`, `results.csv` and `samplers.png`."""
    write_json(folder / "results.json", results)
    write_text(folder / "results.csv", csv_text(results))
    with atomic_file(folder / "samplers.png") as partial:
        partial.write_bytes(png(panels(results), _budgets(results)))


def recommendation(results: Results, tolerance: float) -> dict[str, Any]:
    """The best pair for each budget, and the smallest budget that does.

    Best is the least relative RMS error. A pair's budget does for a metric if its value, and those of the pair's larger
    budgets, differ from the reference's by at most `tolerance` times that.
    """
    best = {}
    for nfe in _budgets(results):
        rows = [row for row in results["cells"] if row["nfe"] == nfe and row["error_rms"] is not None]
        if rows:
            row = min(rows, key=lambda row: row["error_rms"])
            best[str(nfe)] = {key: row[key] for key in ("solver", "schedule", "error_rms", "error_median")}
    smallest = {
        name: _smallest(results, name, entry["value"], tolerance)
        for name, entry in results["reference"]["metrics"].items()
    }
    return {"best": best, "tolerance": tolerance, "smallest_nfe": smallest}


def _smallest(results: Results, metric: str, reference: float, tolerance: float) -> dict[str, Any] | None:
    """The pair with the smallest budget from which on the metric is the reference's; of equals that of least error."""
    found: list[tuple[int, float, dict[str, Any]]] = []
    for solver, schedule in _pairs(results):
        rows = [row for row in _course(results, solver, schedule) if metric in row["metrics"]]
        enough: Row | None = None
        for row in reversed(rows):
            if abs(row["metrics"][metric]["value"] - reference) > tolerance * abs(reference):
                break
            enough = row
        if enough is not None:
            value = enough["metrics"][metric]["value"]
            facts = {"nfe": enough["nfe"], "solver": solver, "schedule": schedule, "value": value}
            error = enough["error_rms"]
            found.append((enough["nfe"], float("inf") if error is None else error, facts))
    return min(found, key=lambda item: item[:2])[2] if found else None


def text(results: Results) -> str:
    """Tables with one line a pair and one column a budget, notes, and the recommendation."""
    parts = [
        _table(results, "relative RMS error of x", lambda row: _number(row["error_rms"], ".4f")),
        _table(results, "median relative error of x", lambda row: _number(row["error_median"], ".4f")),
        _table(results, "log-spectral distance, dB", lambda row: _number(row["log_spectral_distance_db"], ".2f")),
    ]
    for name, entry in results["reference"]["metrics"].items():
        low, high = entry["interval"]
        title = f"{name}; of the reference {entry['value']:.4g} ({low:.4g} to {high:.4g})"
        parts.append(_table(results, title, lambda row, name=name: _metric(row, name)))  # type: ignore[misc]
    left_out: dict[str, list[str]] = {}
    for row in results["cells"]:
        if row["note"]:
            left_out.setdefault(row["note"], []).append(f"{row['solver']}, {row['schedule']}, nfe {row['nfe']}")
    notes = [f"note: {note}" for note in results["notes"]]
    for note, cells in left_out.items():
        notes.append(f"note: {'; '.join(cells[:4])}{' …' if len(cells) > 4 else ''}: {note}")
    parts += ["\n".join(notes)] if notes else []
    return "\n\n".join([*parts, _spoken(results["recommendation"])])


def _spoken(advice: Mapping[str, Any]) -> str:
    lines = [
        f"nfe {nfe}: {best['solver']} on {best['schedule']} (error {best['error_rms']:.4f})"
        for nfe, best in advice["best"].items()
    ]
    for name, found in advice["smallest_nfe"].items():
        within = f"within {100 * advice['tolerance']:g} % of the reference's {name}"
        lines.append(
            f"{within}: nfe {found['nfe']} with {found['solver']} on {found['schedule']}"
            if found
            else f"{within}: no budget that was tried"
        )
    return "\n".join(["recommended:", *(f"  {line}" for line in lines)])


def csv_text(results: Results) -> str:
    """One line a cell, with the value and the interval of each metric."""
    names = list(results["reference"]["metrics"])
    numbers = ("error_rms", "error_median", "log_spectral_distance_db")
    fields = ["solver", "schedule", "nfe", "num_steps", "evaluations", *numbers]
    fields += [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*fields, "note"], lineterminator="\n")
    writer.writeheader()
    for row in results["cells"]:
        line = {field: row[field] for field in (*fields[:8], "note")}
        for name, found in row["metrics"].items():
            line |= {name: found["value"], f"{name}_low": found["interval"][0], f"{name}_high": found["interval"][1]}
        writer.writerow(line)
    return buffer.getvalue()


def panels(results: Results) -> list[Panel]:
    """What to draw: the RMS error, and each metric with its value for the reference."""
    shown = [Panel("relative RMS error of x", _lines(results, lambda row: row["error_rms"]))]
    for name, entry in results["reference"]["metrics"].items():

        def value(row: Row, name: str = name) -> float | None:
            return row["metrics"][name]["value"] if name in row["metrics"] else None

        low, high = entry["interval"]
        shown.append(Panel(name, _lines(results, value), entry["value"], (low, high)))
    return shown


def _lines(results: Results, value: Callable[[Row], float | None]) -> list[Line]:
    """The course of a number for each pair; what is absent, or has no place on a logarithmic axis, is left out."""
    lines = []
    for pair in _pairs(results):
        points = [(row["evaluations"], value(row)) for row in _course(results, *pair)]
        kept = [(evaluations, found) for evaluations, found in points if found is not None and found > 0]
        if kept:
            lines.append(Line(*pair, *(list(column) for column in zip(*kept, strict=True))))
    return lines


def _table(results: Results, title: str, cell: Callable[[Row], str]) -> str:
    budgets = _budgets(results)
    names = {pair: f"{pair[0]}, {pair[1]}" for pair in _pairs(results)}
    width = max(len(name) for name in names.values())
    lines = [title, f"{'nfe':{width}}" + "".join(f"{nfe:>11}" for nfe in budgets)]
    for pair, name in names.items():
        rows = {row["nfe"]: row for row in _course(results, *pair)}
        lines.append(f"{name:{width}}" + "".join(f"{cell(rows[nfe]):>11}" for nfe in budgets))
    return "\n".join(lines)


def _metric(row: Row, name: str) -> str:
    return _number(row["metrics"][name]["value"] if name in row["metrics"] else None, ".4g")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _pairs(results: Results) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["solver"], row["schedule"]) for row in results["cells"]))


def _budgets(results: Results) -> list[int]:
    return sorted({row["nfe"] for row in results["cells"]})


def _course(results: Results, solver: str, schedule: str) -> Sequence[Row]:
    """The cells of a pair, by rising budget."""
    rows = [row for row in results["cells"] if (row["solver"], row["schedule"]) == (solver, schedule)]
    return sorted(rows, key=lambda row: int(row["nfe"]))
