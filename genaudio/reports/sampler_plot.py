"""The picture of a benchmark of samplers: error and metric over the budget, one line a sampler."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

_DASHES = ("-", "--", ":", "-.")
_MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Line:
    """The course of one number of one sampler: budgets and values."""

    solver: str
    schedule: str
    budgets: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One number: its name, its lines, and the reference's value with its interval where it has one."""

    title: str
    lines: Sequence[Line]
    reference: float | None = None
    interval: tuple[float, float] | None = None


def png(panels: Sequence[Panel], ticks: Sequence[int]) -> bytes:
    """The PNG of panels side by side on logarithmic axes; a solver has its colour, a schedule its dashes.

    `ticks` are the budgets to mark.
    """
    pairs = list(dict.fromkeys((line.solver, line.schedule) for panel in panels for line in panel.lines))
    solvers = list(dict.fromkeys(solver for solver, _ in pairs))
    schedules = list(dict.fromkeys(schedule for _, schedule in pairs))
    styles: dict[tuple[str, str], dict[str, object]] = {
        pair: {
            "color": colormaps["tab10"](solvers.index(pair[0]) % 10),
            "linestyle": _DASHES[schedules.index(pair[1]) % len(_DASHES)],
            "marker": _MARKERS[solvers.index(pair[0]) % len(_MARKERS)],
        }
        for pair in pairs
    }
    figure = Figure(figsize=(5.6 * len(panels), 4.6 + 0.11 * len(pairs)), dpi=110, layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, panel, styles, ticks)
    named = [axes.get_legend_handles_labels() for axes in figure.axes]
    shown = {label: handle for handles, labels in named for handle, label in zip(handles, labels, strict=True)}
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # nothing that differs from run to run
    return buffer.getvalue()


def _draw(axes: Axes, panel: Panel, styles: Mapping[tuple[str, str], dict[str, object]], ticks: Sequence[int]) -> None:
    for line in panel.lines:
        style = styles[line.solver, line.schedule]
        label = f"{line.solver}, {line.schedule}"
        axes.plot(line.budgets, line.values, label=label, markersize=4, linewidth=1.3, **style)  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.set_yscale("log")
    if panel.reference is not None:
        axes.axhline(panel.reference, color="0.35", linewidth=1)
        axes.annotate("reference", (0.01, panel.reference), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    if panel.interval is not None:
        low, high = panel.interval
        bottom = low if low > 0 else axes.get_ylim()[0]  # 0 has no place on this axis
        axes.axhspan(bottom, high, color="0.5", alpha=0.15, linewidth=0)
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("evaluations of the denoiser")
    axes.set_title(panel.title, fontsize=10)
    axes.grid(which="major", color="0.9")
