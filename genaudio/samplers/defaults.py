"""What `solver: auto` and `schedule: auto` stand for: one configuration for each band of evaluations.

In many dimensions other ones than in few: a sound is decided on at higher noise levels there.

Chosen on the five problems of `benchmarks/solvers/` (on other noises than they are reported on) and on a trained model:
docs/solver-laboratory.md has the measurements and the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genaudio.samplers.exponential import Basis


@dataclass(frozen=True)
class Band:
    """An exponential integrator on velocity prediction, and the `sinh` schedule that goes with it."""

    most: float  # evaluations, this many included
    order: Literal[2, 3, 4, 5]
    corrector: bool
    basis: Basis
    scale: float  # sigma_data of the prediction, as a multiple of the data's
    centre: float
    width_above: float
    width_below: float
    lowest: float = 0.0  # level before 0, as a multiple of the data's standard deviation; 0: sigma_min


BANDS = (
    Band(6, 4, False, "angle", 1.38, 0.65, 0.56, 1.2),
    Band(8, 3, True, "angle", 1.5, 1.0, 0.26, 1.1),
    Band(12, 3, True, "angle", 1.5, 0.95, 0.3, 1.25),
    Band(17, 4, True, "angle", 1.1, 1.0, 0.45, 1.65),
    Band(28, 4, True, "log_sigma", 1.0, 1.35, 0.5, 2.2),
    Band(float("inf"), 5, True, "log_sigma", 1.0, 0.85, 0.47, 2.0),
)

MANY = 256  # numbers in an item of x from which on these hold
BANDS_OF_MANY = (
    Band(6, 4, False, "angle", 1.58, 0.4, 0.97, 1.8, 0.115),
    Band(8, 3, True, "angle", 1.5, 1.5, 0.26, 1.1, 0.1),
    Band(12, 3, True, "angle", 1.45, 1.6, 0.28, 1.1, 0.1),
    Band(17, 4, True, "angle", 1.1, 1.7, 0.45, 2.15, 0.03),
    Band(28, 4, True, "log_sigma", 1.0, 1.85, 0.5, 2.2),
    Band(float("inf"), 5, True, "log_sigma", 1.0, 1.85, 0.94, 4.0),
)


def band(nfe: int, dimensions: int | None = None) -> Band:
    """The band of a budget, for items of so many numbers (None: few)."""
    bands = BANDS if dimensions is None or dimensions < MANY else BANDS_OF_MANY
    return next(band for band in bands if nfe <= band.most)
