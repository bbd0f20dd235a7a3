"""Tuning a grid of noise levels: the levels at which a given solver, in a given number of steps, errs least.

The error is that of the ends of trajectories against their exact ends. Its root mean square is dominated by the few
items that end in another mode, on which it depends with jumps. So the search (`grid_search`) first fits the other
items, and then looks after the root mean square. What is returned is chosen on trajectories that it has not seen.

Shapes: x, reference (items, ...); sigmas (num_steps + 1,), float64, falling to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Denoiser, Solver, checked_levels
from genaudio.samplers.grid_search import GridSearch, Measure, typical_error
from genaudio.samplers.schedules.karras import Karras

RHOS = (7.0, 4.0, 100.0)  # of further starts; at 100 the levels are all but uniform in ln(sigma)
GIVEN = "given"


class Trajectories(NamedTuple):
    """Starts at the highest noise level, and where the exact flow of `denoiser` takes them at sigma = 0."""

    denoiser: Denoiser
    x: Tensor
    reference: Tensor


@dataclass(frozen=True)
class Tuning:
    """A tuned grid, and its error beside that of the grid that the search was given.

    Errors are root mean squares (`relative_error`), on the held-out trajectories if there are any.
    """

    sigmas: Tensor
    error: float
    error_before: float
    found: str  # what was chosen: "given", "karras, rho 7, to 0.002", …, or "search"
    solves: int  # of the batch; those of the held-out trajectories are not counted


def tune(
    solver: Solver,
    denoiser: Denoiser,
    x: Tensor,
    reference: Tensor,
    start: Tensor,
    *,
    held_out: Trajectories | None = None,
    measure: Measure = typical_error,
    lowest: tuple[float, float] | None = None,
    seed: int = 0,
    max_solves: int = 200,
    stop: Callable[[], bool] | None = None,
    on_solve: Callable[[int, float], None] | None = None,
) -> Tuning:
    """The grid of `len(start) - 1` steps with which `solver` ends nearest to `reference`, never worse than `start`.

    `x` (items, ...) lies at the noise level `start[0]`, which stays; `reference` is where it ends at sigma = 0. The
    last level above 0 stays too, or moves within `lowest`. Further searches start from Karras' grids, down to the last
    level and to the middle of `lowest`. The grid is chosen among all starts and what the search found, by the error on
    `held_out` (without it, on `x` itself). `measure` makes one error of the items' errors (items,), here and there.

    `on_solve(solves, error)` hears of each of at most `max_solves` solves of the batch, and of the least error so far;
    where `stop()` says so the search ends early, and the best so far is chosen. Equal arguments give equal grids.
    Raises `GenaudioError` for a solver without a trajectory of its own (stochastic) or without a grid (adaptive).
    """
    levels = _checked(solver, x, reference, start)
    steps = len(levels) - 1
    judge = held_out or Trajectories(denoiser, x, reference)
    given = torch.tensor(levels, dtype=torch.float64)
    if steps == 1:  # from the highest level to 0: nothing to tune
        error = relative_error(solver.solve(judge.denoiser, judge.x, given), judge.reference, measure)
        return Tuning(given, error, error, GIVEN, 0)
    lowest = lowest or (levels[-2], levels[-2])
    if not 0 < lowest[0] <= lowest[1] < levels[0]:
        raise GenaudioError(
            f"lowest is {lowest[0]:g} to {lowest[1]:g}",
            expected=f"a range above 0 and below the first level, which is {levels[0]:g}",
        )
    starts = [(GIVEN, given)]
    ends = (levels[-2], math.sqrt(lowest[0] * lowest[1])) if lowest[0] < lowest[1] else (levels[-2],)
    starts += [
        (f"karras, rho {rho:g}, to {end:.3g}", Karras(rho=rho).sigmas(steps, end, levels[0]))
        for end in ends
        for rho in RHOS
    ]
    exact = _host(reference)
    size = _rms(exact)

    def residual(grid: Tensor) -> Tensor:
        return (_host(solver.solve(denoiser, x, grid)) - exact).flatten(1) / size

    search = GridSearch(residual, levels[0], lowest, max_solves, measure, stop, on_solve)
    candidates = [*starts, *(("search", grid) for grid in search.run([grid for _, grid in starts], seed))]
    errors = [
        relative_error(solver.solve(judge.denoiser, judge.x, grid), judge.reference, measure) for _, grid in candidates
    ]
    if not math.isfinite(errors[0]):
        raise GenaudioError(
            f"{type(solver).__name__} on the grid that was given ends at values that are not finite",
            expected="finite ends to improve on",
            mend="start from another schedule, or choose another solver",
        )
    best = min(range(len(errors)), key=lambda index: math.inf if math.isnan(errors[index]) else errors[index])
    found, sigmas = candidates[best]
    return Tuning(sigmas, errors[best], errors[0], found, search.solves)


def relative_error(end: Tensor, reference: Tensor, measure: Measure = typical_error) -> float:
    """What `measure` makes of the root mean squares of the items' differences, relative to the reference's."""
    each = (_host(end) - _host(reference)).flatten(1).square().mean(1).sqrt()
    return measure(each) / _rms(reference)


def _rms(x: Tensor) -> float:
    return math.sqrt(float(_host(x).square().mean()))


def _host(x: Tensor) -> Tensor:
    return x.detach().to("cpu", torch.float64)  # not every device has float64


def _checked(solver: Solver, x: Tensor, reference: Tensor, start: Tensor) -> tuple[float, ...]:
    """The levels of `start`; raises `GenaudioError` for what cannot be tuned."""
    if solver.stochastic or solver.evaluations(1) is None:
        what = "stochastic" if solver.stochastic else "adaptive"
        why = "draws fresh noise, so that no end is right" if solver.stochastic else "chooses its own steps"
        raise GenaudioError(
            f"a schedule for {type(solver).__name__}, which is {what}: it {why}",
            expected="a deterministic solver with fixed steps",
            mend="choose another solver, or turn its noise off",
        )
    levels = checked_levels(start)
    if levels[-1] != 0:
        raise GenaudioError(f"a grid from {levels[0]:g} to {levels[-1]:g}", expected="levels that fall to 0")
    if x.shape != reference.shape:
        raise GenaudioError(
            f"x is {tuple(x.shape)} and reference is {tuple(reference.shape)}", expected="an end for each start"
        )
    size = _rms(reference)
    if not (0 < size < math.inf):
        raise GenaudioError(
            f"a reference whose root mean square is {size}",
            expected="finite ends that are not all 0",
            mend="the model may have diverged: listen to what it generates",
        )
    return levels
