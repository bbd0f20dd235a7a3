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
    Band(6, 3, False, "angle", 1.79, 1.79, 0.189, 1.47, 0.146),
    Band(8, 3, True, "angle", 1.17, 1.08, 0.207, 0.612, 0.04),
    Band(12, 4, True, "angle", 0.952, 0.944, 0.307, 2.47, 0.045),
    Band(17, 5, True, "angle", 2.75, 1.14, 0.266, 1.1, 0.0227),
    Band(28, 5, True, "angle", 1.03, 0.836, 0.367, 1.72, 0.0273),
    Band(40, 5, True, "angle", 0.605, 1.12, 0.256, 2.5, 0.0114),
    Band(70, 5, True, "angle", 0.525, 1.43, 0.178, 2.71, 0.00745),
    Band(float("inf"), 5, True, "log_sigma", 1.0, 0.85, 0.47, 2.0),
)
MANY = 256  # numbers in an item of x from which on these hold
BANDS_OF_MANY = (
    Band(6, 4, False, "angle", 1.58, 0.4, 0.97, 1.8, 0.115),
    Band(8, 3, True, "angle", 1.7, 1.7, 0.4, 1.6, 0.12),
    Band(12, 3, True, "angle", 1.6, 1.9, 0.4, 1.7, 0.11),
    Band(17, 4, True, "angle", 1.1, 1.7, 0.45, 2.15, 0.03),
    Band(28, 4, True, "log_sigma", 1.0, 1.85, 0.5, 2.2),
    Band(40, 5, True, "log_sigma", 1.0, 1.85, 0.94, 4.0),
    Band(float("inf"), 5, True, "log_sigma", 1.0, 1.85, 1.5, 4.0),
)


def band(nfe: int, dimensions: int | None = None) -> Band:
    """The band of a budget, for items of so many numbers (None: few)."""
    bands = BANDS if dimensions is None or dimensions < MANY else BANDS_OF_MANY
    return next(band for band in bands if nfe <= band.most)
