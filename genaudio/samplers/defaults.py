"""What `solver: auto` and `schedule: auto` stand for: one configuration for each band of evaluations.

Chosen on the five problems of `benchmarks/solvers/` (on other noises than they are reported on) and on a trained model:
docs/solver-laboratory.md has the measurements and the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Band:
    """An exponential integrator on velocity prediction, and the `sinh` schedule that goes with it."""

    most: float  # evaluations, this many included
    order: Literal[2, 3, 4, 5]
    corrector: bool
    centre: float
    width_above: float
    width_below: float


BANDS = (
    Band(6, 2, False, 1.1, 0.5, 1.8),
    Band(8, 2, True, 1.35, 0.2, 1.3),
    Band(12, 3, True, 1.2, 0.35, 1.65),
    Band(17, 3, True, 1.4, 0.35, 1.9),
    Band(28, 4, True, 1.35, 0.5, 2.2),
    Band(float("inf"), 5, True, 0.85, 0.47, 2.0),
)


def band(nfe: int) -> Band:
    """The band of a budget."""
    return next(band for band in BANDS if nfe <= band.most)
