"""A schedule that is written out."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import field_validator
from torch import Tensor

from genaudio.core.component import Floats, parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.base import Schedule, check_range


class Explicit(Schedule):
    """The levels that the recipe gives, whatever the preconditioner's range: sampling starts at the first of them.

    Without a budget (`sampling.nfe`, `sampling.num_steps`) the solver takes as many steps as there are levels.
    """

    levels: Floats = parameter(
        description="Noise levels from highest to lowest; the 0 at the end may be left out", min_length=1
    )

    @field_validator("levels")
    @classmethod
    def _falling(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        positive = levels[:-1] if levels[-1] == 0 else levels
        if not positive or min(positive) <= 0 or any(a <= b for a, b in pairwise(positive)):
            raise ValueError("noise levels above 0, each lower than the one before")
        return positive

    @property
    def steps(self) -> int:
        """The number of levels."""
        return len(self.levels)

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """The given levels, then 0; raises `GenaudioError` for another number of steps than there are levels."""
        check_range(num_steps, sigma_min, sigma_max)
        if num_steps != len(self.levels):
            raise GenaudioError(
                f"{num_steps} steps for an explicit schedule of {len(self.levels)} levels",
                expected=f"{len(self.levels)} steps",
                mend="leave nfe and num_steps out, or give as many levels as steps",
            )
        return torch.tensor([*self.levels, 0.0], dtype=torch.float64)
