"""The way of x through the noise levels: how a sampler is used to generate, and what editing does otherwise.

Shapes: x and noise (batch, features, freq, time); waveform (batch, channels, time).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.samplers.base import Callback, Denoiser, Solver


@dataclass(frozen=True)
class Tile:
    """The items that go through the sampler together, and what they are given.

    `indices` are their item indices, the last one repeated where the tile is not full. `noise` has unit variance and
    is drawn, like everything that a solver or a course draws, from each item's own generator.
    """

    indices: Sequence[int]
    noise: Tensor
    denoiser: Denoiser
    sigmas: Tensor
    generators: Sequence[torch.Generator]
    callback: Callback | None = None


@dataclass(frozen=True)
class Budget:
    """Steps of the solver, and evaluations of the denoiser (None where the solver decides on the way), of an item."""

    num_steps: int
    evaluations: int | None


class Course(ABC):
    """Where x starts, which noise levels it passes, what the denoiser hears, and what the end becomes."""

    @abstractmethod
    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """x at the end of the way, one for each item of the tile; `tile.sigmas` is the schedule of a generation."""

    def finish(self, x: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """What the sampler hands out: by default the decoded waveform, on the CPU."""
        return decode(x)

    def budget(self, solver: Solver, sigmas: Tensor, shape: tuple[int, int, int]) -> Budget:
        """What an item takes, counted by going the way once with a denoiser that returns zeros.

        So no formula can differ from what is done. An adaptive solver is not tried: zeros would tell nothing.
        """
        if solver.evaluations(1) is None:
            return Budget(len(sigmas) - 1, None)
        evaluations, steps = 0, 0

        def denoiser(x: Tensor, sigma: float) -> Tensor:
            nonlocal evaluations
            evaluations += 1
            return torch.zeros_like(x)

        def told(done: int, total: int) -> None:
            nonlocal steps
            steps = done

        generators = [torch.Generator().manual_seed(0)]
        self.solve(solver, Tile((0,), torch.zeros(1, *shape), denoiser, sigmas, generators, told))
        return Budget(steps, evaluations)


@dataclass(frozen=True)
class Generation(Course):
    """From noise to a clip, down all levels."""

    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """The solver's end from `sigmas[0]` times the noise."""
        start = tile.noise * float(tile.sigmas[0])
        return solver.solve(tile.denoiser, start, tile.sigmas, generator=tile.generators, callback=tile.callback)


GENERATION = Generation()
