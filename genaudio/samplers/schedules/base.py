"""The contract of schedules, and what those that warp a uniform ramp share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Self

import torch
from torch import Tensor

from genaudio.core.component import Component, parameter
from genaudio.core.errors import GenaudioError


class Schedule(Component, ABC):
    """The noise levels that a solver visits."""

    @property
    def steps(self) -> int | None:
        """The number of steps that the schedule is made for; None if any number will do."""
        return None

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> Schedule:
        """This schedule with what it leaves open settled: the data's standard deviation, a choice by budget and size.

        `nfe` is the budget in evaluations (or in steps, where that is what was asked for); `dimensions` are the numbers
        that make up one item of x, if they are known. Most schedules leave nothing open.
        """
        return self

    @abstractmethod
    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to `sigma_min`, then 0: `(num_steps + 1,)`, float64, descending."""


class RampSchedule(Schedule):
    """A schedule that is a function of a ramp: uniform in something that it turns into noise levels."""

    @abstractmethod
    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """The noise level at each point of `ramp`, float64, which rises from 0 (sigma_max) to 1 (sigma_min)."""

    def sigmas(self, num_steps: int, sigma_min: float, sigma_max: float) -> Tensor:
        """`num_steps` levels from `sigma_max` down to `sigma_min`, then 0; a single step starts at `sigma_max`.

        Raises `GenaudioError` for less than one step, ends that are no range, and more levels than float64 tells apart.
        """
        check_range(num_steps, sigma_min, sigma_max)
        try:
            levels = self.levels(torch.linspace(0, 1, num_steps, dtype=torch.float64), sigma_min, sigma_max)
        except OverflowError:
            levels = torch.full((num_steps,), torch.inf, dtype=torch.float64)
        levels[-1] = sigma_min  # the ends exactly, whatever the rounding between them
        levels[0] = sigma_max
        sigmas = torch.cat([levels, levels.new_zeros(1)])
        if not bool((sigmas.diff() < 0).all()):
            raise GenaudioError(
                f"{num_steps} steps from {sigma_max:g} to {sigma_min:g} with {self!r}",
                expected="levels that fall, each by more than float64 rounds off",
                mend="take fewer steps, or a parameter that is less extreme",
            )
        return sigmas


class ScaledSchedule(RampSchedule):
    """A ramp schedule that is defined for data of unit variance, and sees sigma / sigma_data."""

    sigma_data: float | Literal["auto"] = parameter(
        "auto", description="Standard deviation of the encoded data, or auto: the model's"
    )

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> Self:
        """This schedule with `sigma_data: auto` replaced by the given value."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    @abstractmethod
    def ratios(self, ramp: Tensor, lowest: float, highest: float) -> Tensor:
        """sigma / sigma_data at each point of `ramp`, from `highest` to `lowest`."""

    def levels(self, ramp: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
        """The noise levels; raises `GenaudioError` while `sigma_data` is still "auto"."""
        return self._scale * self.ratios(ramp, sigma_min / self._scale, sigma_max / self._scale)

    @property
    def _scale(self) -> float:
        if self.sigma_data == "auto":
            raise GenaudioError(
                "sigma_data is still 'auto'",
                expected="a number",
                mend="call fitted(sigma_data, nfe), or give sigma_data",
            )
        return self.sigma_data


def check_range(num_steps: int, sigma_min: float, sigma_max: float) -> None:
    """Raise `GenaudioError` for less than one step, or unless 0 < sigma_min < sigma_max < infinity."""
    if num_steps < 1:
        raise GenaudioError(f"num_steps is {num_steps}", expected="at least 1")
    if not 0 < sigma_min < sigma_max < float("inf"):
        raise GenaudioError(
            f"sigma_min is {sigma_min:g} and sigma_max is {sigma_max:g}", expected="0 < sigma_min < sigma_max"
        )
