"""A training curve as the coordinates of an SVG: raw values, a smoothed line, and the marks of both axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOST_POINTS = 700


@dataclass(frozen=True)
class Mark:
    """A mark on an axis: its text and its coordinate."""

    text: str
    at: float


@dataclass(frozen=True)
class Curve:
    """What the page needs to draw one curve inside `width` by `height`; y grows downwards."""

    width: float
    height: float
    raw: str
    smooth: str
    x_marks: tuple[Mark, ...]
    y_marks: tuple[Mark, ...]
    logarithmic: bool
    first: float
    last: float
    steps: int


def curve(
    rows: Sequence[Mapping[str, object]],
    key: str,
    *,
    width: float = 1120,
    height: float = 250,
    smoothing: bool = True,
) -> Curve | None:
    """The course of `key` over `step`; None with fewer than two finite values. Logarithmic above a ratio of 4."""
    pairs = [(row.get("step"), row.get(key)) for row in rows]
    points = [
        (float(step), float(value))
        for step, value in pairs
        if isinstance(step, int | float) and isinstance(value, int | float) and math.isfinite(value)
    ]
    if len(points) < 2:
        return None
    steps, values = np.array(points, dtype=np.float64).T
    logarithmic = bool(smoothing and values.min() > 0 and values.max() / values.min() > 4)
    smooth = (np.exp(smoothed(np.log(values))) if logarithmic else smoothed(values)) if smoothing else values
    low, high = _limits(values, logarithmic)

    def y(value: NDArray[np.float64] | float) -> NDArray[np.float64]:
        scaled = np.log(value) if logarithmic else np.asarray(value, dtype=np.float64)
        bottom, top = (math.log(low), math.log(high)) if logarithmic else (low, high)
        return np.asarray(height * (1 - (scaled - bottom) / (top - bottom)))

    first, last = float(steps.min()), float(steps.max())
    span = (last - first) or 1.0
    x = width * (steps - first) / span
    x_marks = [Mark(_count(tick), width * (tick - first) / span) for tick in _round_ticks(first, last, 6)]
    ticks = _log_ticks(low, high) if logarithmic else _round_ticks(low, high, 4)
    y_marks = [Mark(f"{tick:.3g}", float(y(tick))) for tick in ticks]
    return Curve(
        width, height, _path(x, y(values)), _path(x, y(smooth)) if smoothing else "", tuple(x_marks), tuple(y_marks),
        logarithmic, float(smooth[0]), float(smooth[-1]), int(last),
    )  # fmt: skip


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A centred Gaussian average, about a thirtieth of the course wide; at the ends it averages over what there is."""
    deviation = len(values) / 60
    if deviation < 0.5:
        return values.copy()
    offsets = np.arange(-math.ceil(4 * deviation), math.ceil(4 * deviation) + 1)
    kernel = np.exp(-0.5 * np.square(offsets / deviation))
    total = np.convolve(values, kernel)[len(offsets) // 2 :][: len(values)]
    weight = np.convolve(np.ones_like(values), kernel)[len(offsets) // 2 :][: len(values)]
    return np.asarray(total / weight)


def _limits(values: NDArray[np.float64], logarithmic: bool) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        return low / 1.05, high * 1.05
    margin = 0.05 * (high - low) or max(abs(high), 1e-12) * 0.5
    return (0.0 if 0 <= low < margin * 4 else low - margin), high + margin


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Points of a polyline; a long course keeps the lowest and highest of each stretch, so that spikes stay."""
    keep = np.arange(len(x))
    if len(x) > _MOST_POINTS:
        stretches = np.array_split(keep, _MOST_POINTS // 2)
        ends = [(part[np.argmin(y[part])], part[np.argmax(y[part])]) for part in stretches]
        keep = np.unique(np.array(ends))
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[keep], y[keep], strict=True))


def _round_ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside the range, about `count` of them."""
    rough = (high - low) / count
    if rough <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 in each decade inside the range; powers of ten alone where that would be more than 7."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= 7:
            break
    return inside


def _count(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10000 else f"{value:g}"
