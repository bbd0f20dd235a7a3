"""The picture of EDMSound's measure: how like training clips generated ones are, and those among one another."""

from __future__ import annotations

import io
import math
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genaudio.audit.edmsound import EDMSoundResult, Statistic

_GENERATED, _TRAINING = "#c8501e", "#1f5fa8"
_BINS = 40
_COLUMNS = 4


def distribution_plot(result: EDMSoundResult, image: Literal["png", "svg"] = "png") -> bytes:
    """A histogram of both sets of likenesses with their 95th percentiles, and one for each class; equal bytes again.

    Each histogram is a density, so that sets of different size compare. All share one axis of likeness.
    """
    labels = list(result.by_class)
    rows = math.ceil(len(labels) / _COLUMNS)
    figure = Figure(figsize=(11, 4.2 + 2.4 * rows), dpi=110, layout="constrained")
    heights = [1.6, *[1.0] * rows]
    grid = figure.add_gridspec(1 + rows, _COLUMNS, height_ratios=heights)
    edges = _edges(result)
    axes = figure.add_subplot(grid[0, :])
    _draw(axes, result, None, result.overall, edges)
    axes.set_title(f"All clips: {_difference(result.overall)}", fontsize=11)
    axes.set_xlabel("cosine similarity to the most similar training clip")
    axes.set_ylabel("density")
    for number, label in enumerate(labels):
        small = figure.add_subplot(grid[1 + number // _COLUMNS, number % _COLUMNS], sharex=axes)
        _draw(small, result, label, result.by_class[label], edges[::2])  # fewer clips, wider bins
        small.set_title(f"{label}: {_difference(result.by_class[label])}", fontsize=8)
        small.tick_params(labelsize=7)
        if number % _COLUMNS == 0:
            small.set_ylabel("density", fontsize=8)
        if number + _COLUMNS >= len(labels):
            small.set_xlabel("cosine similarity", fontsize=8)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    buffer = io.BytesIO()
    if image == "svg":
        from matplotlib import rc_context

        with rc_context({"svg.hashsalt": "genaudio"}):
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    else:
        figure.savefig(buffer, format="png", metadata={"Software": None})  # nothing that differs from run to run
    return buffer.getvalue()


def _edges(result: EDMSoundResult) -> NDArray[np.float64]:
    """Equal bins from the lowest likeness to the highest, which is 1 at most."""
    scores = np.concatenate([one.of(None).numpy() for one in (result.generated, result.training)])
    low, high = float(scores.min()), float(scores.max())
    margin = max(0.02 * (high - low), 1e-3)
    return np.linspace(low - margin, high + margin, _BINS + 1)


def _draw(
    axes: Axes, result: EDMSoundResult, label: str | None, statistic: Statistic, edges: NDArray[np.float64]
) -> None:
    for likeness, percentile, name, colour, dashes in (
        (result.training, statistic.training_p95, "training clip to another training clip", _TRAINING, "--"),
        (result.generated, statistic.generated_p95, "generated clip to training clip", _GENERATED, "-"),
    ):
        scores = likeness.of(label).numpy()
        if len(scores):
            axes.hist(scores, edges.tolist(), density=True, color=colour, alpha=0.25)
            axes.hist(scores, edges.tolist(), density=True, color=colour, histtype="step", linestyle=dashes, label=name)
        if percentile is not None:
            mark = f"95th percentile ({name.partition(' ')[0]})"
            axes.axvline(percentile, color=colour, linestyle=dashes, linewidth=1.6, label=mark)
    axes.annotate(
        f"{statistic.generated} generated\n{statistic.training} training",
        (0.015, 0.96),
        xycoords="axes fraction",
        fontsize=9 if label is None else 7,
        va="top",
        color="0.25",
    )
    axes.margins(y=0.12)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)


def _difference(statistic: Statistic) -> str:
    """The statistic and its interval, in words that fit a title."""
    if statistic.value is None:
        return "too few clips for a 95th percentile"
    text = f"{statistic.value:+.3f}"
    if statistic.interval is not None:
        low, high = statistic.interval
        text += f" [{low:+.3f}, {high:+.3f}]"
    return text
