"""The contract of guidance.

Shapes: x (batch, ...); condition (batch, size).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from genaudio.core.component import Component
from genaudio.samplers.base import Denoiser

ConditionalDenoiser = Callable[[Tensor, float, Tensor], Tensor]  # D(x, sigma, condition)


class Guidance(Component, ABC):
    """Steers a conditional denoiser towards its condition."""

    @abstractmethod
    def wrap(self, denoiser: ConditionalDenoiser, condition: Tensor, null: Tensor) -> Denoiser:
        """The guided D(x, sigma); `condition` and `null` are `(batch, size)`, x has the same batch."""
