"""Thresholds that a stated share of real clips from outside the training set exceeds, one for each class.

With few clips a share of 1% cannot be read off. The scores of a class are located and scaled by their own median and
spread, drawn towards those of all clips where the class has few; the standardised scores of all classes share one
tail, fitted by an exponential distribution of the excesses over a high quantile (the generalised Pareto distribution of
shape 0, the limit for light tails: Pickands, Annals of Statistics 3, 1975).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import DataError

FEWEST = 20  # clips that a calibration needs
_PRIOR = 20.0  # clips that the scores of all classes are worth in a class's own location and spread
_DRAWS = 500
_COVERAGE = 0.98


@dataclass(frozen=True)
class Calibration:
    """Thresholds by class, None for clips of no known class; what lies beyond them at the rate asked for.

    `level`: the standardised score that the next clip exceeds at the rate asked for, by the fit. `interval`: the 98%
    bootstrap interval of where the fitted exponential itself is at that rate.
    """

    thresholds: Mapping[str | None, float]
    counts: Mapping[str | None, int]
    level: float
    interval: tuple[float, float]

    def threshold(self, label: str | None) -> float:
        """That of the class, or the common one for a class that had no calibration clips."""
        return self.thresholds.get(label, self.thresholds[None])

    def as_json(self) -> dict[str, Any]:
        """Plain data; the common threshold is called `all`."""
        return {
            "thresholds": {"all" if label is None else label: value for label, value in self.thresholds.items()},
            "counts": {"all" if label is None else label: value for label, value in self.counts.items()},
            "standardised_level": self.level,
            "standardised_interval_98": list(self.interval),
        }


def calibrate(
    scores: Sequence[float],
    labels: Sequence[str | None],
    *,
    rate: float,
    tail: float,
    seed: int,
    confident: bool = True,
) -> Calibration:
    """Thresholds from the scores of real clips, `(n,)`; raises `DataError` if they are too few.

    `confident`: they are at the upper end of the interval where that is higher than the level, so that the rate is kept
    with 99% confidence under the fit, not only on average.
    """
    if len(scores) < FEWEST:
        raise DataError(
            f"{len(scores)} clips to calibrate with",
            expected=f"at least {FEWEST} real clips that are not training clips",
            mend="give at least as many held-out clips (--held-out); without any, training clips calibrate each other",
        )
    values = torch.tensor(scores, dtype=torch.float64)
    groups = _groups(labels)
    median = float(values.median())
    common = (median, _spread(values, median))
    standardised = torch.zeros_like(values)
    for numbers in groups.values():
        for number in numbers:  # by the others alone: else each clip would draw its own location towards itself
            others = values[[other for other in numbers if other != number]]
            location, spread = _located(others, common)
            standardised[number] = (values[number] - location) / spread
    fitted, interval = tail_quantile(standardised, rate, tail), _interval(standardised, rate, tail, seed)
    level = max(fitted, interval[1]) if confident else fitted
    thresholds: dict[str | None, float] = {}
    for label, numbers in groups.items():
        location, spread = _located(values[numbers], common)
        thresholds[label] = location + spread * level
    if None not in groups:
        thresholds[None] = tail_quantile(values, rate, tail)
        if confident:
            thresholds[None] = max(thresholds[None], _interval(values, rate, tail, seed)[1])
    counts = {label: len(numbers) for label, numbers in groups.items()}
    return Calibration(thresholds, counts, fitted, interval)


def _interval(values: Tensor, rate: float, tail: float, seed: int) -> tuple[float, float]:
    """Bootstrap interval of the level that a share `rate` of the fitted exponential exceeds.

    Of the plain fit: what few excesses leave open is what the draws show, and would else be counted twice.
    """
    generator = torch.Generator().manual_seed(seed)
    draws = [values[torch.randint(len(values), (len(values),), generator=generator)] for _ in range(_DRAWS)]
    levels = torch.tensor([_fitted_quantile(draw, rate, tail) for draw in draws], dtype=torch.float64)
    margin = (1 - _COVERAGE) / 2
    return float(levels.quantile(margin)), float(levels.quantile(1 - margin))


def tail_quantile(values: Tensor, rate: float, tail: float) -> float:
    """The level that the next draw exceeds with probability `rate`, by an exponential fit to the largest share `tail`.

    With k excesses of mean β over the base u the next one exceeds u + y with probability tail (1 + y / (k β))^(-k): the
    exponential tail with its scale integrated out (prior 1 / β), so that few clips give a higher level.
    """
    base, count, mean = _excesses(values, tail)
    return base + count * mean * (math.pow(tail / rate, 1 / count) - 1)


def _fitted_quantile(values: Tensor, rate: float, tail: float) -> float:
    """The same with the scale as fitted: what `tail_quantile` comes to with ever more excesses of that mean."""
    base, _, mean = _excesses(values, tail)
    return base + mean * math.log(tail / rate)


def _excesses(values: Tensor, tail: float) -> tuple[float, int, float]:
    """The base that a share `tail` exceeds, how many values do, and by how much in the mean."""
    base = float(values.quantile(1 - tail))
    excesses = values[values > base] - base
    return base, max(1, len(excesses)), float(excesses.mean()) if len(excesses) else 0.0


def _groups(labels: Sequence[str | None]) -> dict[str | None, list[int]]:
    groups: dict[str | None, list[int]] = {}
    for number, label in enumerate(labels):
        groups.setdefault(label, []).append(number)
    return dict(sorted(groups.items(), key=lambda item: (item[0] is None, item[0] or "")))


def _located(values: Tensor, common: tuple[float, float]) -> tuple[float, float]:
    """Median and spread of a class, drawn towards the common ones as if those were `_PRIOR` clips more."""
    count = len(values)
    if not count:
        return common
    median = float(values.median())
    share = count / (count + _PRIOR)
    location = share * median + (1 - share) * common[0]
    return location, share * _spread(values, median) + (1 - share) * common[1]


def _spread(values: Tensor, median: float) -> float:
    """Median distance from the median, times 1.4826 (1 for a normal distribution's deviation); never 0.

    At least half of what the mean distance, times 1.2533, would make it: the median vanishes where most values are one.
    """
    distances = (values - median).abs()
    return max(1.4826 * float(distances.median()), 0.5 * 1.2533 * float(distances.mean()), 1e-3)
