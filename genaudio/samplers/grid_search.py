"""The search for a better grid of noise levels, by nothing but solves.

The unknowns are logarithms of the gaps between neighbouring levels in ln(sigma), so that any values give a falling
grid. Two stages: damped least squares (Levenberg 1944, Marquardt 1963) with derivatives by differences, on residuals
whose items weigh less the more they stand out; then an evolution strategy on the plain error, which copes with its
jumps where an item changes its mode.

Shapes: residual (items, values), float64; gaps (num_steps - 1,); grids (num_steps + 1,), float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from genaudio.samplers.evolution import Evolution

_DIFFERENCE = 0.03  # of a log gap: derivatives are taken over it
_LONGEST_MOVE = 0.7  # of a log gap, in one step of least squares
_FIRST_DAMPING, _MOST_DAMPING, _DAMPING_FACTOR = 1e-2, 1e4, 4.0  # relative to each unknown's curvature
_LEAST_GAIN = 3e-3  # relative; a step of least squares that gains less is the last
_FIRST_SPREAD, _LEAST_SPREAD = 0.3, 0.003  # standard deviation of the log gaps' random moves
# An item stands out above twice the median error, and above most of the others: a class that errs more does not.
_STANDS_OUT, _MOST, _LEAST_SCALE = 2.0, 0.8, 1e-9
_ROBUST_STARTS = 2
_ROBUST_SHARE = 1 / 4  # of the solves, after which no more steps of least squares are begun
_BLOCK = 256  # items
_SHORTEST_GAP = 1e-3  # in ln(sigma)
_TINY = 1e-300
_FAR = 1e6  # the residual that stands for an end that is not finite

Measure = Callable[[Tensor], float]  # of items' errors (items,): the error of all of them


def typical_error(each: Tensor) -> float:
    """Root mean square of items' errors (items,): of more than one block of 256, the geometric mean of the blocks'.

    One item in thousands that ends in another mode can outweigh all others in a root mean square over all of them,
    while 256 are hardly ever such that it does.
    """
    blocks = each[: len(each) // _BLOCK * _BLOCK].view(-1, _BLOCK) if len(each) >= 2 * _BLOCK else each[None]
    return float(blocks.square().mean(1).log().mean().div(2).exp())


class _Ended(Exception):  # noqa: N818 - the ordinary end of a search
    """The budget is spent, or somebody asked to stop."""


@dataclass(frozen=True)
class _Point:
    """A place of the search, and what the solver leaves there."""

    gaps: Tensor
    residual: Tensor
    measure: Measure

    @cached_property
    def each(self) -> Tensor:
        """Root mean square of each item's residual: (items,)."""
        return self.residual.square().mean(1).sqrt()

    @cached_property
    def error(self) -> float:
        """The error to be made small."""
        return self.measure(self.each)

    @property
    def scale(self) -> float:
        """The error from which on an item stands out."""
        return max(_STANDS_OUT * float(self.each.median()), float(self.each.quantile(_MOST)), _LEAST_SCALE)

    def robust(self, scale: float) -> float:
        """A cost that is square in an item's error far below `scale` and saturates above it (Geman and McClure)."""
        square = self.each.square() / scale**2
        return float((square / (1 + square)).mean())


class GridSearch:
    """One search: counts its solves, and remembers the best point that any of them has met.

    `residual(grid)` is one solve; `highest` is the first level, and the last one above 0 stays within `lowest`.
    """

    def __init__(
        self,
        residual: Callable[[Tensor], Tensor],
        highest: float,
        lowest: tuple[float, float],
        max_solves: int,
        measure: Measure,
        stop: Callable[[], bool] | None = None,
        on_solve: Callable[[int, float], None] | None = None,
    ) -> None:
        self.solves = 0
        self._residual = residual
        self._highest, self._lowest = highest, lowest
        self._max_solves = max_solves
        self._measure = measure
        self._stop = stop
        self._on_solve = on_solve
        self._best: _Point | None = None

    def run(self, starts: Sequence[Tensor], seed: int) -> list[Tensor]:
        """The grids to choose from: the ends of the robust stage, whose items count alike, and the best in all."""
        fitted: list[_Point] = []
        try:
            points = [self._at(_gaps(start)) for start in starts]
            scale = min(point.scale for point in points)
            for point in sorted(points, key=lambda point: point.robust(scale))[:_ROBUST_STARTS]:
                fitted.append(point)
                for better in self._least_squares(point):
                    fitted[-1] = better
                    if self.solves > _ROBUST_SHARE * self._max_solves:
                        break
                if self.solves > _ROBUST_SHARE * self._max_solves:
                    break
            self._evolve(torch.Generator().manual_seed(seed))
        except _Ended:
            pass
        found = [*fitted, *([self._best] if self._best else ())]
        return [self._grid(point.gaps) for point in found]

    def _grid(self, gaps: Tensor) -> Tensor:
        """The levels of any gaps: stretched or shrunk as a whole until the last level is allowed."""
        low, high = self._lowest
        widths = gaps.exp().clamp_min(_SHORTEST_GAP)
        total = float(widths.sum())
        widths *= min(max(total, math.log(self._highest / high)), math.log(self._highest / low)) / total
        below = self._highest * torch.exp(-widths.cumsum(0))
        below[-1] = below[-1].clamp(low, high)  # exactly, whatever the rounding
        return torch.cat([below.new_tensor([self._highest]), below, below.new_zeros(1)])

    def _at(self, gaps: Tensor) -> _Point:
        """One solve; raises `_Ended` where it is one too many."""
        if self.solves >= self._max_solves or (self._stop is not None and self._stop()):
            raise _Ended
        residual = self._residual(self._grid(gaps))
        point = _Point(gaps, residual.nan_to_num(_FAR, _FAR, -_FAR), self._measure)
        self.solves += 1
        if self._best is None or point.error < self._best.error:
            self._best = point
        if self._on_solve is not None:
            self._on_solve(self.solves, self._best.error)
        return point

    def _least_squares(self, point: _Point) -> Iterator[_Point]:
        """Better and better points by the robust cost, until a step gains little."""
        damping = _FIRST_DAMPING
        gain = 1.0
        while gain > _LEAST_GAIN:
            scale = point.scale
            curvature, slope = self._normal_equations(point, scale)
            costs = [point.robust(scale)]
            while damping < _MOST_DAMPING:
                move = torch.linalg.solve(curvature + damping * torch.diag(curvature.diagonal() + _TINY), -slope)
                if not bool(move.isfinite().all()):
                    return  # nothing depends on the gaps any more
                move *= min(1.0, _LONGEST_MOVE / float(move.abs().max().clamp_min(_TINY)))
                trial = self._at(point.gaps + move)
                costs.append(trial.robust(scale))
                if costs[-1] < costs[0]:
                    point = trial
                    yield point
                    break
                damping *= _DAMPING_FACTOR
            else:
                return
            damping /= _DAMPING_FACTOR
            gain = 1 - costs[-1] / costs[0]

    def _normal_equations(self, point: _Point, scale: float) -> tuple[Tensor, Tensor]:
        """J^T W J and J^T W r, with less weight on items that stand out here or jump in a difference."""
        changes = torch.stack([self._at(moved).residual - point.residual for moved in _moved(point.gaps)])
        jump = changes.square().mean(2).amax(0) / scale**2
        weights = ((1 + point.each.square() / scale**2) * (1 + jump)) ** -2
        weighted = (changes / _DIFFERENCE * weights[:, None]).flatten(1)
        return weighted @ (changes / _DIFFERENCE).flatten(1).T, weighted @ point.residual.flatten()

    def _evolve(self, generator: torch.Generator) -> None:
        """Random moves from the best point, until they have come to rest."""
        if self._best is None:
            return
        evolution = Evolution(self._best.gaps, _FIRST_SPREAD, generator)
        while evolution.spread > _LEAST_SPREAD:
            evolution.tell([self._at(gaps).error for gaps in evolution.draw()])


def _gaps(grid: Tensor) -> Tensor:
    """The unknowns of a grid."""
    return grid[:-1].log().diff().neg().log()


def _moved(gaps: Tensor) -> Iterator[Tensor]:
    """`gaps` with one of them changed, each in turn."""
    for index in range(len(gaps)):
        moved = gaps.clone()
        moved[index] += _DIFFERENCE
        yield moved
