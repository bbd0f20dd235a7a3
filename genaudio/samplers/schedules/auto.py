"""The schedule that measured best for the budget at hand."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.defaults import band
from genaudio.samplers.schedules.base import Schedule
from genaudio.samplers.schedules.sinh import Sinh


class Auto(Schedule):
    """A `sinh` schedule chosen by the number of evaluations and the size of an item; goes with `solver: auto`.

    The choice (`genaudio/samplers/defaults.py`) is from docs/solver-laboratory.md. A manifest names what was chosen.
    Its last level above 0 may lie above sigma_min.
    """

    sigma_data: float | Literal["auto"] = parameter(
        "auto", description="Standard deviation of the encoded data, or auto: the model's"
    )

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> Sinh:
        """The schedule for a budget of `nfe` evaluations, and items of so many numbers (None: few)."""
        return self._chosen(nfe, dimensions).fitted(sigma_data, nfe)

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """The levels for as many evaluations as there are steps; raises `GenaudioError` without `sigma_data`."""
        return self._chosen(num_steps).sigmas(num_steps, sigma_min, sigma_max)

    def _chosen(self, nfe: int, dimensions: int | None = None) -> Sinh:
        chosen = band(nfe, dimensions)
        return Sinh(
            centre=chosen.centre,
            width_above=chosen.width_above,
            width_below=chosen.width_below,
            lowest=chosen.lowest,
            sigma_data=self.sigma_data,
        )
