"""Gaussian noise for a batch, drawn item by item so that a clip never depends on its neighbours.

Every solver's noise is drawn here; `brownian.py` adds a path that refines with the schedule.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Generators


class FreshNoise:
    """Noise that advances the generators: another path for every schedule."""

    def __init__(self, generators: Generators | None) -> None:
        self._generators = generators

    def unit(self, x: Tensor, s: float, t: float) -> Tensor:
        """Unit noise of the step from level s to t, whatever they are."""
        return randn_like(x, self._generators)


def randn_like(x: Tensor, generators: Generators | None) -> Tensor:
    """Unit Gaussian noise of the shape, dtype and device of `x` (batch, ...).

    With one generator for each item, item i is drawn from generator i alone: the batch size never changes its noise.
    Each draw is made where its generator lives, so a CPU generator gives the same noise to every device. None draws
    from torch's global generator.
    """
    if generators is None:
        return torch.randn_like(x)
    if isinstance(generators, torch.Generator):
        return _draw(x, tuple(x.shape), generators)
    if len(generators) != len(x):
        raise GenaudioError(f"{len(generators)} generators for {len(x)} items", expected="one generator for each item")
    return torch.stack([_draw(x, tuple(x.shape[1:]), generator) for generator in generators])


def _draw(x: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
