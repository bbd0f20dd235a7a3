"""The contract of distributions of training noise levels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from genaudio.core.component import Component


class NoiseDistribution(Component, ABC):
    """The distribution that training noise levels are drawn from."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels sigma, `(count,)`, float64 on the CPU, all positive."""
