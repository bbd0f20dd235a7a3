"""The results of `compare.py` as a table in Markdown, comma-separated values, and a figure."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers import family
from problems import MIXTURES, NAMES

Row = dict[str, Any]

START, END = "<!-- results -->", "<!-- end of results -->"
OURS = ("default", "tuned", "fixed")
_SIDES = {
    "peers": "best peers",
    "default": "default",
    "tuned": "tuned schedule",
    "fixed": "best of our solvers on the peers' grids",
}
MEASURES = ("rms", "median")
_LEAST_SHOWN = 1e-6  # of `points` most items end exactly at their point


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


def table(records: Sequence[Row], single: Sequence[Row], items: int) -> str:
    """Errors at 0 and at sigma_min, the means of their ratios, wrong points, and who the peers' best were."""
    budgets = present(records, "nfe")
    parts = []
    for ending, title in (("B", "At sigma = 0"), ("A", "At sigma_min = 0.002")):
        parts += [f"**{title}**, RMS error, {items} noises.\n", _head(["problem", "evaluations:", *budgets])]
        for name in present(records, "problem"):
            found = [pick(records, problem=name, nfe=nfe, ending=ending) or {} for nfe in budgets]
            for side, label in _SIDES.items():
                cells = [_number(each.get(side, {}).get("rms")) for each in found]
                if any(cells):
                    parts.append(_line([f"`{name}`", label, *cells]))
        parts.append("")
    parts += ["**Means over the four mixtures**\n", _head(["ratio to the best peers", *budgets])]
    summaries = means(records)
    for ending, at in (("B", "at 0"), ("A", "at 0.002")):
        for ours in OURS:
            for measure, called in (("rms", "RMS"), ("median", "median")):
                kept = [pick(summaries, ending=ending, ours=ours, measure=measure, nfe=nfe) for nfe in budgets]
                if any(kept):
                    cells = [f"{each['mean']:.2f} ({each['worst_ratio']:.2f})" if each else "" for each in kept]
                    parts.append(_line([f"{_SIDES[ours]}, {called}, {at}", *cells]))
        rows = [pick(single, ending=ending, nfe=nfe) for nfe in budgets]
        if any(rows):
            parts.append(
                _line([f"one peer, one grid, RMS, {at}", *(f"{row['mean']:.2f}" if row else "" for row in rows)])
            )
    if pick(records, problem="points") is not None:
        parts += ["\n**`points`: items that end at another data point, in percent**\n", _head(["at 0", *budgets])]
        for side, label in _SIDES.items():
            found = [pick(records, problem="points", nfe=nfe, ending="B") or {} for nfe in budgets]
            shares = [each.get(side, {}).get("wrong_share") for each in found]
            if any(share is not None for share in shares):
                parts.append(_line([label, *("" if share is None else f"{100 * share:.1f}" for share in shares)]))
    parts += ["\n**The best peers by cells won** (RMS, both endings)\n", _head(["sampler", "cells"])]
    won = Counter(family(record["peers"]["rms_by"]) for record in records if "rms_by" in record["peers"])
    parts += [_line([name, count]) for name, count in won.most_common()]
    return "\n".join(parts) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _head(names: Sequence[Any]) -> str:
    return _line(names) + "\n" + "|" + "---|" * len(names)


def _line(values: Sequence[Any]) -> str:
    return "| " + " | ".join(str(value) for value in values) + " |"


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
    panels = len(names) + 1  # the last one holds the legend
    columns = min(3, panels)
    figure, axes = pyplot.subplots(
        math.ceil(panels / columns), columns, figsize=(3.4 * columns, 2.9 * math.ceil(panels / columns)), squeeze=False
    )
    for axis, name in zip(axes.flat, names, strict=False):
        for side, color in (("peers", "0.45"), ("default", "C0"), ("tuned", "C3")):
            for measure, style in (("rms", "-o"), ("median", ":")):
                kept = [
                    (each["nfe"], each[side][measure])
                    for each in records
                    if (each["problem"], each["ending"]) == (name, "B") and measure in each.get(side, {})
                ]
                if kept:
                    shown = _SIDES[side] if measure == "rms" else None
                    axis.loglog(*zip(*kept, strict=True), style, color=color, label=shown, markersize=3, linewidth=1.2)
        budgets = present(records, "nfe")
        axis.set_xticks(budgets, [str(nfe) for nfe in budgets])
        axis.minorticks_off()
        axis.set_ylim(bottom=max(axis.get_ylim()[0], _LEAST_SHOWN))
        axis.set_title(name, fontsize=10)
        axis.grid(alpha=0.3, linewidth=0.4)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    axes.flat[len(names)].legend(
        handles,
        labels,
        loc="center",
        fontsize=8,
        title_fontsize=8,
        title="error at 0 over evaluations\nline: RMS, dots: median",
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
