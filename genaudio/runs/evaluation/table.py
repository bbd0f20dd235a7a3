"""The results of an evaluation as a table for people, with everything that a figure needs beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from genaudio.reports.data import Table as ReportTable

_WIDTH = 160  # columns at most: a terminal wraps what is wider than itself


def text(results: Mapping[str, Any]) -> str:
    """One line a metric, indented lines for its classes, then what limits the figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for name in ("value", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("better", "embedding", "weights"):
        table.add_column(name)
    for name in ("generated", "reference"):
        table.add_column(name, justify="right")
    for entry in results["metrics"]:
        card = entry["card"]
        weights = card.get("weights_sha256")
        facts = (entry["better"], str(card.get("embedding")), weights[:12] if weights else "none")
        table.add_row(entry["name"], *_figures(entry), *facts, *_counts(card))
        for label, one in entry["by_class"].items():
            table.add_row(f"  {label}", *_figures(one), "", "", "", *_counts(one["card"]))
    buffer = io.StringIO()
    Console(file=buffer, width=_WIDTH, color_system=None, markup=False, highlight=False).print(table)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join([*(line for line in lines if line), *(f"note: {note}" for note in notes_of(results))])


def report_table(results: Mapping[str, Any]) -> ReportTable:
    """The same for the page of a run: one row a metric, rows of its classes below."""
    rows: list[list[object]] = []
    for entry in results["metrics"]:
        card = entry["card"]
        rows.append([entry["name"], *_figures(entry), entry["better"], card.get("embedding"), *_counts(card)])
        rows += [
            [f"· {label}", *_figures(one), "", "", *_counts(one["card"])] for label, one in entry["by_class"].items()
        ]
    return ReportTable(
        "Evaluation",
        ("metric", "value", "95% interval", "better", "embedding", "generated", "reference"),
        rows,
        "Compare values of equal counts, embedding and weights alone. How each was computed: evaluation/results.json.",
    )


def _figures(entry: Mapping[str, Any]) -> tuple[str, str]:
    low, high = entry["interval"]
    return _number(entry["value"]), "-" if low == high else f"{_number(low)} to {_number(high)}"


def _counts(card: Mapping[str, Any]) -> tuple[str, str]:
    return tuple(str(card.get(side, "")) for side in ("generated", "reference"))  # type: ignore[return-value]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def notes_of(results: Mapping[str, Any]) -> list[str]:
    """Those of the whole, and of each metric."""
    own = [f"{entry['name']}: {note}" for entry in results["metrics"] for note in entry["card"].get("notes", ())]
    return [*results["notes"], *own]
