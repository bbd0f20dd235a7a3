"""The contract of schedules."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from genaudio.core.component import Component


class Schedule(Component, ABC):
    """The noise levels that a solver visits."""

    @property
    def steps(self) -> int | None:
        """The number of steps that the schedule is made for; None if any number will do."""
        return None

    def fitted(self, sigma_data: float, nfe: int) -> Schedule:
        """This schedule with what it leaves open settled: the standard deviation of the data, a choice by budget.

        `nfe` is the budget in evaluations (or in steps, where that is what was asked for). Most schedules leave nothing
        open.
        """
        return self

    @abstractmethod
    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to `sigma_min`, then 0: `(num_steps + 1,)`, float64, descending."""
