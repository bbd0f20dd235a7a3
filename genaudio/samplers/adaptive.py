"""Step-size control: every item of a batch chooses its own steps, and no item's result depends on the others.

The denoiser takes one noise level for the whole batch, so items at different levels take turns: a trial step serves all
items that stand at the same level and want the same step, and leaves the rest of the batch as it was. To meet often,
items step on one dyadic grid: a step is a power of two of the smallest one, at a multiple of its own length. On a batch
of one that costs nothing but the rounding of the step; a batch whose items differ much takes up to as many calls as its
items would one after the other.

A step waits for the device once, to learn the errors; no method that chooses its steps can do otherwise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Callback, Denoiser, Generators, Solver
from genaudio.samplers.exponential import extrapolation_to_zero
from genaudio.samplers.sigma_data import SigmaData, number

_UNITS = 2**20  # smallest steps in a trajectory
_FIRST = _UNITS // 16
_SAFETY = 0.9
_PROGRESS = 1000  # what a callback is told in


@dataclass(frozen=True)
class Trial:
    """What a step would lead to: x, the estimate of its error, and D there if the method knows it (else None)."""

    x: Tensor
    error: Tensor
    clean: Tensor | None


class Pair(ABC):
    """An embedded pair of methods: one step, and the difference to a step of a lower order."""

    @property
    @abstractmethod
    def cost(self) -> int:
        """Evaluations of a trial step, given D at its start."""

    @property
    @abstractmethod
    def error_order(self) -> int:
        """The power of the step with which its error falls: the order of the lower method, plus one."""

    @abstractmethod
    def trial(self, denoiser: Denoiser, x: Tensor, clean: Tensor, s: float, t: float) -> Trial:
        """A step from level s to t, given D at s."""

    @abstractmethod
    def level(self, s: float, t: float, share: float) -> float:
        """The level at a share of the way from s to t, in the variable in which steps are measured."""


@dataclass(frozen=True)
class Tolerance:
    """When a step is good: its error's RMS over the item is at most atol + rtol times the RMS of x.

    Both are of x / sqrt(sigma^2 + sigma_data^2), so that a level of noise is no excuse.
    """

    rtol: float
    atol: float
    sigma_data: float
    max_evaluations: int

    def errors(self, x: Tensor, s: float, t: float, trial: Trial) -> list[float]:
        """Each item's error over what is allowed; this waits for the device."""
        before, after = math.hypot(s, self.sigma_data), math.hypot(t, self.sigma_data)
        size = torch.maximum(_rms(x) / before, _rms(trial.x) / after)
        return (_rms(trial.error) / after / (self.atol + self.rtol * size)).tolist()


@dataclass
class _Item:
    """Where an item stands and how it steps, in units of the smallest step."""

    position: int = 0
    size: int = _FIRST
    wanted: float = _FIRST  # what the controller asks for; `size` is its rounding to the grid
    before: float = 1.0  # error of the last step
    evaluations: int = 0
    knows_clean: bool = False  # D at `position` is there
    far: float | None = None  # level of the D that is kept for the step to sigma = 0

    def accept(self, error: float, order: int, knows_clean: bool) -> None:
        """Move on, and choose the next step (PI control: Hairer and Wanner, Solving ODEs II, Section IV.2)."""
        self.position += self.size
        self.knows_clean = knows_clean
        error = max(error, 1e-10) * (self.wanted / self.size) ** order  # of the step that was wanted
        factor = _SAFETY * error ** (-0.7 / order) * self.before ** (0.4 / order)
        self.before = max(error, 1e-4)
        self._choose(self.wanted * min(max(factor, 0.2), 5.0))

    def reject(self, error: float, order: int) -> bool:
        """Choose a shorter step; whether there is one."""
        shortest = self.size == 1
        factor = _SAFETY * error ** (-1 / order) if math.isfinite(error) else 0.1
        self._choose(self.size * min(max(factor, 0.1), 0.5))
        return not shortest

    def _choose(self, wanted: float) -> None:
        self.wanted = min(max(wanted, 1.0), float(_UNITS))
        size = 2 ** math.floor(math.log2(self.wanted))
        while self.position % size:
            size //= 2
        self.size = size


class Trajectories:
    """A batch on its way: x (batch, ...), each item at a level of its own, and D there as far as it is known."""

    def __init__(self, pair: Pair, tolerance: Tolerance, denoiser: Denoiser, x: Tensor) -> None:
        self._pair, self._tolerance, self._denoiser = pair, tolerance, denoiser
        self._x, self._clean, self._far = x, x, x  # D is x until it is known
        self._items = [_Item() for _ in range(len(x))]

    def run(self, levels: Sequence[float], callback: Callback | None = None) -> Tensor:
        """x at the last of `levels`, from the first; of those between only the last above 0 matters."""
        to_zero = levels[-1] == 0
        start, end = levels[0], levels[-2] if to_zero else levels[-1]

        def level(position: int) -> float:
            if position in (0, _UNITS):  # the ends exactly
                return end if position else start
            return self._pair.level(start, end, position / _UNITS)

        while start != end and (waiting := [item for item in self._items if item.position < _UNITS]):
            # The hindmost first, so that those ahead can be caught up with.
            first = min(waiting, key=lambda item: (item.position, -item.size))
            s, t = level(first.position), level(first.position + first.size)
            here = [i for i, item in enumerate(self._items) if item.position == first.position]
            self._evaluate(s, here)
            self._try(s, t, [i for i in here if self._items[i].size == first.size], keep=to_zero and s >= 2 * end)
            if callback is not None:
                done = sum(item.position for item in self._items) / (_UNITS * len(self._items))
                callback(min(int(_PROGRESS * done), _PROGRESS - 1), _PROGRESS)
        if to_zero:
            self._evaluate(end, range(len(self._items)))
        if callback is not None:
            callback(_PROGRESS, _PROGRESS)
        return self._zero(end) if to_zero else self._x

    def _evaluate(self, sigma: float, rows: Sequence[int]) -> None:
        """D at `sigma`, for those of the rows that lack it."""
        lacking = [i for i in rows if not self._items[i].knows_clean]
        if lacking:
            self._clean = self._merged(lacking, self._denoiser(self._x, sigma), self._clean)
            for i in lacking:
                self._items[i].knows_clean = True
                self._items[i].evaluations += 1

    def _try(self, s: float, t: float, rows: Sequence[int], keep: bool) -> None:
        """A trial step from s to t with some rows; D at s is kept for the step to 0 where the step is good."""
        pair, limit = self._pair, self._tolerance.max_evaluations
        for i in rows:
            self._items[i].evaluations += pair.cost
            if self._items[i].evaluations > limit:
                raise GenaudioError(
                    f"{limit} evaluations take an item only to a noise level of {s:.3g}",
                    expected="the whole trajectory within max_evaluations",
                    mend="raise rtol and atol, or max_evaluations",
                )
        trial = pair.trial(self._denoiser, self._x, self._clean, s, t)
        errors = self._tolerance.errors(self._x, s, t, trial)
        good = [i for i in rows if errors[i] <= 1]
        for i in rows:
            if i in good:
                self._items[i].accept(errors[i], pair.error_order, trial.clean is not None)
                self._items[i].far = s if keep else self._items[i].far
            elif not self._items[i].reject(errors[i], pair.error_order):
                found = (
                    f"an error of {errors[i]:.2g} times the tolerance" if math.isfinite(errors[i]) else "no finite x"
                )
                raise GenaudioError(
                    f"the shortest step from the noise level {s:.3g} leaves {found}",
                    expected="a denoiser that is finite and smooth in sigma, to within the tolerance",
                    mend="check the denoiser, or raise rtol and atol; in half precision keep rtol above 1e-2",
                )
        if good:
            if keep:
                self._far = self._merged(good, self._clean, self._far)
            if trial.clean is not None:
                self._clean = self._merged(good, trial.clean, self._clean)
            self._x = self._merged(good, trial.x, self._x)

    def _merged(self, rows: Sequence[int], new: Tensor, old: Tensor) -> Tensor:
        """`new` in some rows, `old` in the others."""
        if len(rows) == len(self._items):
            return new
        chosen = torch.zeros(len(old), *[1] * (old.ndim - 1), dtype=torch.bool)
        chosen[list(rows)] = True
        return torch.where(chosen.to(old.device), new, old)

    def _zero(self, last: float) -> Tensor:
        """D at sigma = 0, extrapolated where an earlier one was kept (see `exponential.extrapolation_to_zero`)."""
        near = [1.0 if item.far is None else extrapolation_to_zero(last, item.far)[0] for item in self._items]
        weight = torch.tensor(near, dtype=torch.float64).to(self._clean).view(-1, *[1] * (self._clean.ndim - 1))
        return torch.lerp(self._far, self._clean, weight)


def _rms(x: Tensor) -> Tensor:
    """Of each item: (batch,)."""
    return x.detach().reshape(len(x), -1).square().mean(1).sqrt()


class AdaptiveSolver(Solver):
    """A solver that chooses its steps by an embedded pair; of a schedule only the ends matter to it."""

    rtol: float = parameter(
        1e-3, ge=0, description="Error allowed in a step over the RMS of the item, at unit variance"
    )
    atol: float = parameter(1e-3, gt=0, description="Error allowed in a step, at unit variance")
    max_evaluations: int = parameter(1000, ge=7, description="Evaluations of an item that are an error to exceed")
    sigma_data: SigmaData = parameter("auto", description="Standard deviation of the data; auto: the model's")

    @abstractmethod
    def pair(self) -> Pair:
        """The methods whose difference is the error."""

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> Self:
        """With the standard deviation of the data."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    def evaluations(self, num_steps: int) -> None:
        """None: as many as the tolerance asks for."""
        return

    def solve(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        generator: Generators | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """The end of the trajectory; the callback is told thousandths of the way.

        Raises `GenaudioError` where an item needs more than `max_evaluations`, or where no step is short enough.
        """
        denoise, y, levels = self.prepared(denoiser, x, sigmas)
        tolerance = Tolerance(self.rtol, self.atol, number(self.sigma_data), self.max_evaluations)
        return Trajectories(self.pair(), tolerance, denoise, y).run(levels, callback).to(x.dtype)
