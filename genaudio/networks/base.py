"""The contract of networks.

Shapes: x (batch, features, freq, time); noise_level (batch,); condition (batch, size) or None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from genaudio.core.component import Component


class Network(Component, ABC):
    """The neural network inside the denoiser; the component builds the `nn.Module` that does the work."""

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise `GenaudioError`, naming the mend, for a `(features, freq, time)` that the network cannot take."""

    @abstractmethod
    def build(self, shape: tuple[int, int, int], condition_size: int | None) -> nn.Module:
        """A module with `forward(x, noise_level, condition) -> Tensor` of x's shape.

        `shape` is `(features, freq, time)`; `condition_size` is the size of the condition vector, None for no condition
        (then `condition` is None). Raises `GenaudioError` where `check` does.
        """
