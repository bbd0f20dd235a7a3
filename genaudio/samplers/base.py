"""The contract of solvers.

Shapes: x (batch, ...), any float dtype; sigmas (num_steps + 1,), float64 on the CPU, descending, last value often 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from genaudio.core.component import Component

Denoiser = Callable[[Tensor, float], Tensor]  # D(x, sigma): estimate of the clean x; sigma is a Python float
Callback = Callable[[int, int], None]  # (steps done, steps in all)
# One generator for the whole batch, or one for each item, so that an item's noise does not depend on its neighbours.
Generators = torch.Generator | Sequence[torch.Generator]


class Solver(Component, ABC):
    """Integrates dx/dsigma = (x - D(x; sigma)) / sigma from the first noise level to the last."""

    @property
    @abstractmethod
    def order(self) -> int:
        """Order of convergence in the number of steps."""

    @abstractmethod
    def evaluations(self, num_steps: int) -> int:
        """Evaluations of the denoiser over a schedule of `num_steps` steps that ends at sigma = 0."""

    @abstractmethod
    def solve(
        self,
        denoiser: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        generator: Generators | None = None,
        callback: Callback | None = None,
    ) -> Tensor:
        """The end of the trajectory that starts at `x` at noise level `sigmas[0]`; `x` is left untouched."""

    def num_steps(self, nfe: int) -> int:
        """The most steps whose evaluations do not exceed `nfe`, at least 1."""
        steps = 1
        while self.evaluations(steps + 1) <= nfe:
            steps += 1
        return steps
