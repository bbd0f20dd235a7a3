"""The contract of distributions of training noise levels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from genaudio.core.component import Component


class NoiseDistribution(Component, ABC):
    """The distribution that training noise levels are drawn from."""

    def fitted(self, sigma_data: float) -> Self:
        """This distribution with what it leaves open settled by the standard deviation of the encoded data.

        Most distributions leave nothing open.
        """
        return self

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` noise levels sigma, `(count,)`, float64 on the CPU, all positive."""
