"""The contract of metrics.

Shapes: features (clips, dimensions), float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from genaudio.core.component import Component


@dataclass(frozen=True)
class Measurement:
    """A value with its uncertainty and a card of how it was computed."""

    value: float
    interval: tuple[float, float]
    card: dict[str, Any] = field(default_factory=dict)


class Metric(Component, ABC):
    """Compares generated with reference features."""

    @abstractmethod
    def measure(self, generated: Tensor, reference: Tensor) -> Measurement:
        """The value for two feature matrices `(clips, dimensions)`."""
