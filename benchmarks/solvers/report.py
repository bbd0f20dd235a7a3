"""The results of `compare.py` as a table in Markdown, comma-separated values, and a figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from problems import MIXTURES, NAMES

Row = dict[str, Any]

START, END = "<!-- results -->", "<!-- end of results -->"
OURS = ("default", "tuned", "fixed")
MEASURES = ("rms", "median")


def pick(records: Sequence[Row], **wanted: Any) -> Row | None:
    """The record of a problem, budget and ending."""
    return next((each for each in records if all(each[name] == value for name, value in wanted.items())), None)


def ratio(record: Row | None, ours: str, measure: str) -> float | None:
    """Our error over the peers' least; None where either is missing."""
    if record is None or measure not in record.get(ours, {}) or measure not in record["peers"]:
        return None
    return float(record[ours][measure]) / float(record["peers"][measure])


def present(records: Sequence[Row], field: str) -> list[Any]:
    """Values of a field, in the order of first appearance."""
    return list(dict.fromkeys(each[field] for each in records))


def means(records: Sequence[Row]) -> list[Row]:
    """Geometric means over the mixtures of the ratios to the peers' best, with the worst problem."""
    found = []
    for ending in present(records, "ending"):
        for ours in OURS:
            for measure in MEASURES:
                for nfe in present(records, "nfe"):
                    ratios = {
                        name: value
                        for name in MIXTURES
                        if (value := ratio(pick(records, problem=name, nfe=nfe, ending=ending), ours, measure))
                    }
                    if ratios:
                        mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
                        worst = max(ratios, key=lambda name: ratios[name])
                        found.append(
                            {"ending": ending, "ours": ours, "measure": measure, "nfe": nfe, "mean": mean}
                            | {"problems": len(ratios), "worst": worst, "worst_ratio": ratios[worst]}
                        )
    return found


def csv_text(records: Sequence[Row]) -> str:
    """A line a problem, ending, budget and side."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["problem", "ending", "nfe", "side", "rms", "median", "wrong_share", "rms_by", "median_by", "steps"]
    )
    for record in records:
        for side in ("peers", *OURS):
            row = record.get(side, {})
            values = [row.get(name, "") for name in ("rms", "median", "wrong_share", "rms_by", "median_by", "steps")]
            writer.writerow([record["problem"], record["ending"], record["nfe"], side, *values])
    return text.getvalue()


def table(records: Sequence[Row], items: int) -> str:
    """Errors at 0 and at sigma_min, the means of their ratios, wrong points, and who the peers' best were."""
    budgets = present(records, "nfe")
    parts = []
    for ending, title in (("B", "At sigma = 0"), ("A", "At sigma_min = 0.002")):
        parts.append(f"**{title}**, {items} noises: RMS error of the best of the peers / of genaudio's default.\n")
        parts.append(_head(["problem", *budgets]))
        for name in present(records, "problem"):
            found = [pick(records, problem=name, nfe=nfe, ending=ending) for nfe in budgets]
            parts.append(_line([f"`{name}`", *(_pair(each, "rms") for each in found)]))
        parts.append("")
    parts.append(
        "Geometric means over the four mixtures of error / error of the peers' best; in brackets the worst one.\n"
    )
    parts.append(_head(["", *budgets]))
    summaries = means(records)
    labels = {"default": "default", "tuned": "tuned schedule", "fixed": "best of solvers and grids"}
    for ending, at in (("B", "at 0"), ("A", "at 0.002")):
        for ours, label in labels.items():
            for measure in MEASURES:
                kept = [pick(summaries, ending=ending, ours=ours, measure=measure, nfe=nfe) for nfe in budgets]
                if any(kept):
                    cells = [f"{each['mean']:.2f} ({each['worst_ratio']:.2f})" if each else "" for each in kept]
                    parts.append(_line([f"{label}, {measure}, {at}", *cells]))
    if pick(records, problem="points") is not None:
        parts.append("\n`points`: percentage of items that end at another data point (at 0).\n")
        parts.append(_head(["", *budgets]))
        for side, label in (("peers", "least of the peers"), ("default", "default"), ("tuned", "tuned schedule")):
            rows = [(pick(records, problem="points", nfe=nfe, ending="B") or {}).get(side, {}) for nfe in budgets]
            if any("wrong_share" in row for row in rows):
                shares = [f"{100 * row['wrong_share']:.1f}" if "wrong_share" in row else "" for row in rows]
                parts.append(_line([label, *shares]))
    parts.append("\nThe peers' best by RMS at 0:\n")
    parts.append(_head(["problem", "evaluations", "sampler, grid"]))
    for record in records:
        if record["ending"] == "B" and "rms_by" in record["peers"]:
            by = record["peers"]["rms_by"].replace(" | ", "; ")
            parts.append(_line([f"`{record['problem']}`", record["nfe"], by]))
    return "\n".join(parts) + "\n"


def _head(names: Sequence[Any]) -> str:
    return _line(names) + "\n" + "|" + "---|" * len(names)


def _line(values: Sequence[Any]) -> str:
    return "| " + " | ".join(str(value) for value in values) + " |"


def _pair(record: Row | None, measure: str) -> str:
    if record is None or measure not in record["peers"]:
        return ""
    ours = record["default"].get(measure)
    return f"{record['peers'][measure]:.1e} / " + ("-" if ours is None else f"{ours:.1e}")


def replace_between_markers(page: Path, text: str) -> None:
    """Put `text` between the two markers of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, marker, after = rest.partition(END)
    if not marker:
        raise SystemExit(f"{page} has no {START} followed by {END}")
    page.write_text(f"{before}{START}\n{text}{END}{after}", encoding="utf-8")


def plot(records: Sequence[Row], path: Path) -> None:
    """Error at 0 against evaluations, a panel a problem; solid RMS, dotted median."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in NAMES if name in present(records, "problem")]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(3.6 * columns, 3.0 * rows), squeeze=False)
    sides = {"peers": ("best of the peers", "0.45"), "default": ("default", "C0"), "tuned": ("tuned schedule", "C3")}
    for axis, name in zip(axes.flat, names, strict=False):
        for side, (label, color) in sides.items():
            for measure, style in (("rms", "-o"), ("median", ":")):
                kept = [
                    (each["nfe"], each[side][measure])
                    for each in records
                    if (each["problem"], each["ending"]) == (name, "B") and measure in each.get(side, {})
                ]
                if kept:
                    shown = label if measure == "rms" else None
                    axis.loglog(*zip(*kept, strict=True), style, color=color, label=shown, markersize=3, linewidth=1.2)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("evaluations", fontsize=8)
        axis.grid(alpha=0.3, which="both", linewidth=0.4)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower right", fontsize=8, title="error at 0: RMS, dotted: median", title_fontsize=8
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
