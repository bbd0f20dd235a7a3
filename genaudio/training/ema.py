"""An exponential moving average of a model's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class MovingAverage(Generic[Module]):
    """A copy of a model whose weights follow the model's: `w <- w + (1 - decay_t) (model - w)`.

    `decay_t = min(decay, (1 + t) / (10 + t))` at update t, so that the first weights, which are random, are forgotten.
    """

    def __init__(self, model: Module, decay: float) -> None:
        self.decay = decay
        self.model: Module = copy.deepcopy(model).requires_grad_(False).eval()

    def decay_at(self, update: int) -> float:
        """The decay of update number `update`, counted from 0."""
        return min(self.decay, (1 + update) / (10 + update))

    @torch.no_grad()
    def update(self, model: Module, update: int) -> None:
        """Move the average towards the model's weights; buffers are copied."""
        weight = 1 - self.decay_at(update)
        for average, current in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(current, weight)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
