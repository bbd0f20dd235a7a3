"""How often predicted classes agree with the wanted ones: overall, by class, each with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054  # two-sided 95% of a normal distribution


@dataclass(frozen=True)
class Rate:
    """`successes` of `total`, with the 95% interval of Wilson (1927), which is sane at 0 and at 1 too."""

    successes: int
    total: int

    @property
    def value(self) -> float:
        """The share of successes; NaN of nothing."""
        return self.successes / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95% interval; the whole of [0, 1] for nothing."""
        if not self.total:
            return 0.0, 1.0
        n, z = self.total, _Z_95
        centre = (self.value + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(self.value * (1 - self.value) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f}% ({self.successes} of {self.total}; 95% {100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Agreement:
    """Counts of `wanted` (row) against predicted (column) classes: `confusion` (classes, classes)."""

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]

    @classmethod
    def of(cls, classes: tuple[str, ...], wanted: NDArray[np.int64], predicted: NDArray[np.int64]) -> Agreement:
        """Count pairs of class indices."""
        confusion = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(confusion, (wanted, predicted), 1)
        return cls(classes, confusion)

    @property
    def overall(self) -> Rate:
        """Over all clips."""
        return Rate(int(np.trace(self.confusion)), int(self.confusion.sum()))

    @property
    def by_class(self) -> dict[str, Rate]:
        """For each wanted class."""
        counts = zip(self.classes, self.confusion.diagonal(), self.confusion.sum(1), strict=True)
        return {name: Rate(int(right), int(total)) for name, right, total in counts}

    @property
    def chance(self) -> float:
        """What guessing evenly among the classes would give."""
        return 1 / len(self.classes)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers: overall, by class, chance level, confusion."""
        return {
            "overall": _rate(self.overall),
            "chance": self.chance,
            "by_class": {name: _rate(rate) for name, rate in self.by_class.items()},
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
        }


def _rate(rate: Rate) -> dict[str, Any]:
    value = rate.value if rate.total else None
    return {"value": value, "interval_95": list(rate.interval), "successes": rate.successes, "total": rate.total}
