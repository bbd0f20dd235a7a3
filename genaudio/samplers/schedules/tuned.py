"""A schedule that was optimised for a trained model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.base import Schedule, check_range
from genaudio.samplers.schedules.tuned_file import TunedGrid, read_grids

AUTO = "auto"
_COMMAND = "`gen tune-schedule RUN --nfe N`"


class Tuned(Schedule):
    """The grid of noise levels that `gen tune-schedule` found for a model and a number of steps.

    Without a budget, and with one grid in the file, the solver takes that one's steps. Of several grids for the steps
    asked for, the one tuned for the solver in use is taken, and of these the one tuned last.
    """

    path: str = parameter(AUTO, description="File of tuned grids, or auto: that of the model", min_length=1)
    solver: str | None = parameter(
        None, description="Type of the solver whose grids come first; null: of the solver in use, once a model is"
    )

    @property
    def steps(self) -> int | None:
        """The steps of the only grid of the file; None if there are several, or the model is not known yet."""
        grids = [] if self.path == AUTO else read_grids(self.path)
        return grids[0].num_steps if len(grids) == 1 else None

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """The levels of the grid of `num_steps` steps, then 0.

        Raises `GenaudioError` if there is no such grid, it is for another range, or the file cannot be used.
        """
        check_range(num_steps, sigma_min, sigma_max)
        grid = self._grid(num_steps)
        asked, tuned = (sigma_min, sigma_max), (grid.sigma_min, grid.sigma_max)
        if not all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(asked, tuned, strict=True)):
            raise GenaudioError(
                f"noise levels from {sigma_max:g} to {sigma_min:g} for a grid of {self.path} that was tuned from "
                f"{grid.sigma_max:g} to {grid.sigma_min:g}",
                expected="the range that it was tuned for",
                mend=f"set the preconditioner's sigma_min and sigma_max to that, or tune again with {_COMMAND}",
            )
        return torch.tensor(grid.sigmas, dtype=torch.float64)

    def _grid(self, num_steps: int) -> TunedGrid:
        if self.path == AUTO:
            raise GenaudioError(
                "the path of a tuned schedule is still 'auto'",
                expected="the file of a trained model",
                mend="sample through the model (`gen sample`, genaudio.load), or give the schedule's path",
            )
        grids = read_grids(self.path)
        fitting = [grid for grid in grids if grid.num_steps == num_steps]
        if not fitting:
            there = ", ".join(f"{g.num_steps} ({g.solver['type']}, nfe {g.nfe})" for g in grids)
            raise GenaudioError(
                f"{num_steps} steps, for which {self.path} has no grid",
                expected=f"steps for which there is one: {there or 'none yet'}",
                mend=f"ask for another budget, or tune one with {_COMMAND}",
            )
        return next((grid for grid in reversed(fitting) if grid.solver["type"] == self.solver), fitting[-1])
