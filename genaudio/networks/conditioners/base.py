"""The contract of conditioners.

Shapes: labels (batch,), int64, -1 for "dropped"; condition (batch, size).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from genaudio.core.component import Component, parameter

DROPPED = -1  # the label of an item whose condition is dropped


class Conditioner(Component, ABC):
    """What a class label becomes for the network, and how it is dropped for guidance."""

    dropout: float = parameter(
        0.1, ge=0, lt=1, description="Share of training items whose condition is dropped", source="Ho & Salimans 2022"
    )

    @property
    @abstractmethod
    def size(self) -> int:
        """Size of the condition vector."""

    @abstractmethod
    def build(self, num_classes: int) -> nn.Module:
        """A module with `forward(labels) -> condition`, where `DROPPED` gives the null condition."""
