"""Denoisers whose estimates are known in closed form, and that count what they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor


@dataclass
class Gaussian:
    """The ideal denoiser of N(mean, deviation^2) whose mean is each item's condition (batch, 1), or `mean` without one.

    D(x; sigma) = (s^2 x + sigma^2 m) / (s^2 + sigma^2). `batches` has the size of each call.
    """

    deviation: float = 0.5
    mean: float = 0.0
    batches: list[int] = field(default_factory=list)

    def __call__(self, x: Tensor, sigma: float, condition: Tensor | None = None) -> Tensor:
        self.batches.append(len(x))
        mean = self.mean if condition is None else condition
        variance = self.deviation**2
        return (variance * x + sigma**2 * mean) / (variance + sigma**2)


@pytest.fixture
def gaussian() -> type[Gaussian]:
    return Gaussian


@pytest.fixture
def x() -> Tensor:
    return 3 * torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def condition() -> Tensor:
    return torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64)


@pytest.fixture
def null() -> Tensor:
    return torch.zeros(3, 1, dtype=torch.float64)


@pytest.fixture
def drawn() -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """Three independent estimates: guided, conditional and another."""

    def draw(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1)
        guided, conditional, other = torch.randn(3, *(shape or (3, 2, 5, 4)), generator=generator, dtype=torch.float64)
        return guided.to(dtype), conditional.to(dtype), other.to(dtype)

    return draw
