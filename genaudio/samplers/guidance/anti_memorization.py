"""Anti-memorization guidance (Chen, Liu and Xu 2024, arXiv 2404.00922): away from the nearest training item."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.guidance.base import Estimate, Estimates, Guidance
from genaudio.samplers.guidance.memory_file import read_items
from genaudio.samplers.guidance.per_item import dot, norm, wide

_BLOCK = 1 << 26  # numbers of the memory that are compared at a time
# Sine of the angle to the training item below which the gradient is rounding: the last direction is kept instead.
_NO_DIRECTION = 1e-3


class AntiMemorization(Guidance):
    """Turns an estimate that resembles a training item too much away from it, until it resembles it no more.

    With d the estimate and m the training item nearest to it, both less their means, likeness is their correlation
    s = cos(angle between d and m). Where s > threshold, d is turned in the plane of d and m, its norm and mean kept:

        gradient of s = (m / |m| - s d / |d|) / |d|
        angle <- arccos(threshold), which is where the way down that gradient reaches the threshold

    This is the dissimilarity guidance of the source in closed form: there an estimate takes one step of a tuned size
    down the gradient of the likeness, here it goes on to the threshold. What lies below stays as it is, to the bit. The
    gradient is that of the likeness of the estimate; none goes through the network. An estimate that is a training item
    has no gradient; it turns in the direction of the evaluation before, if there was one. `rounds` takes care of takes
    of one recording: turned away from one item, an estimate may still resemble another.

    Likeness is measured in x, at the same place: in complex spectrograms a copy that is shifted in time resembles
    nothing. The comparison costs a product of the batch with all items, each round of an evaluation.
    """

    memory: str = parameter(
        min_length=1,
        description="File of training items (see gen write-memory); a relative path counts from the current directory",
    )
    threshold: float = parameter(0.5, gt=0, lt=1, description="Correlation with a training item that is let stand")
    rounds: int = parameter(2, ge=1, le=16, description="Training items that an estimate is led away from in turn")

    @property
    def memory_file(self) -> str:
        """Its path."""
        return self.memory

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """What the guidance before it arrived at."""
        return frozenset({"guided"})

    def init(self) -> None:
        """No direction yet."""
        return

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """The estimate turned away, and the direction in which it was turned."""
        items = read_items(self.memory, guided.device)
        if items.shape[1:] != guided.shape[1:]:
            raise GenaudioError(
                f"a memory of items {tuple(items.shape[1:])} for x {tuple(guided.shape[1:])}",
                expected="the training items as the model sees them",
                mend="write the memory with the representation and the clip length of the model",
            )
        x, direction = wide(guided), state
        for _ in range(self.rounds):
            x, direction = self._turned(x, _nearest(x, items), direction)
        changed = (x != wide(guided)).flatten(1).any(1).view(-1, *[1] * (x.ndim - 1))
        return torch.where(changed, x.to(guided.dtype), guided), direction

    def _turned(self, x: Tensor, item: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """x turned away from the item (of norm 1), and the direction across the item in which it now lies."""
        mean = x.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 1))
        length = norm(x - mean)
        unit = (x - mean) / length.clamp_min(torch.finfo(x.dtype).tiny)
        likeness = dot(unit, item)
        across = unit - likeness * item
        if before is not None:
            kept = before - dot(before, item) * item
            across = torch.where(norm(across) > _NO_DIRECTION, across, kept)
        size = norm(across)
        across = across / size.clamp_min(torch.finfo(x.dtype).tiny)
        sine = math.sqrt(1 - self.threshold**2)
        turned = mean + length * (self.threshold * item + sine * across)
        return torch.where((likeness > self.threshold) & (size > 0), turned, x), across


def _nearest(x: Tensor, items: Tensor) -> Tensor:
    """Of each estimate the item with the highest correlation, with norm 1: `(batch, ...)`."""
    rows, flat = x.flatten(1), items.flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    step = max(1, _BLOCK // flat.shape[1])
    best = torch.full((len(rows),), -torch.inf, dtype=rows.dtype, device=rows.device)
    index = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    for start in range(0, len(flat), step):
        score, place = (rows @ flat[start : start + step].to(rows.dtype).T).max(1)
        index = torch.where(score > best, place + start, index)
        best = torch.maximum(score, best)
    chosen = items[index].to(x.dtype)
    return chosen / norm(chosen)
