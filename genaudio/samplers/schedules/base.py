"""The contract of schedules."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from genaudio.core.component import Component


class Schedule(Component, ABC):
    """The noise levels that a solver visits."""

    @abstractmethod
    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to `sigma_min`, then 0: `(num_steps + 1,)`, float64, descending."""
