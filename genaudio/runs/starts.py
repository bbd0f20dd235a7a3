"""Chosen starts of a trained model's trajectories, and what a sampler makes of them before it is decoded.

A start is the seed of an item's noise, and its label. The network sees tiles of one fixed size, as it does in
`runs.sampling`, so that an end is bit for bit that of a clip which is generated from the same seed and label.

Shapes: x (items, features, freq, time), float32; waveform (items, channels, time), float32 on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

import torch
from torch import Tensor

from genaudio.runs.model import Model
from genaudio.runs.sampling import SamplingPlan
from genaudio.samplers.base import Denoiser
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.schedules.karras import Karras


@dataclass(frozen=True)
class Starts:
    """Items to generate: a seed of the noise and a label (None: without one) for each."""

    model: Model
    seeds: tuple[int, ...]
    labels: tuple[str | None, ...]

    @classmethod
    def of(cls, model: Model, seeds: Sequence[int], labels: Sequence[str | None]) -> Starts:
        """Items with these seeds, the labels by turns."""
        return cls(model, tuple(seeds), tuple(islice(cycle(labels), len(seeds))))

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest noise level of sampling."""
        preconditioner = self.model.generator().preconditioner
        return preconditioner.sigma_min, preconditioner.sigma_max

    def noise(self) -> Tensor:
        """Unit Gaussian noise, on the CPU; multiplied by the first noise level it is where trajectories start."""
        shape = self.model.generator().shape
        return torch.stack([torch.randn(shape, generator=_generator(seed)) for seed in self.seeds])

    @torch.no_grad()
    def solve(self, plan: SamplingPlan, on_step: Callable[[float], None] | None = None) -> Tensor:
        """The ends of the trajectories, on the CPU. `on_step` is called with the number of items done, in fractions."""
        sigmas = plan.schedule.sigmas(plan.num_steps, *self.range)
        noise = self.noise()
        ends = []
        for start, tile in self._tiles():

            def told(done: int, total: int, start: int = start, tile: list[int] = tile) -> None:
                if on_step is not None:
                    on_step(start + len(set(tile)) * done / total)

            x = plan.solver.solve(
                self._denoiser(plan, tile),
                (noise[tile] * float(sigmas[0])).to(self.model.device),
                sigmas,
                generator=[_generator(self.seeds[item], noise.shape[1:]) for item in tile],
                callback=told,
            )
            ends.append(x.cpu())
        return torch.cat(ends)[: len(self.seeds)]

    @torch.no_grad()
    def decode(self, x: Tensor) -> Tensor:
        """The waveforms of ends."""
        generator = self.model.generator()
        parts = [
            generator.representation.decode(x[tile].to(self.model.device), generator.length).cpu()
            for _, tile in self._tiles()
        ]
        return torch.cat(parts)[: len(self.seeds)]

    def denoiser(self, plan: SamplingPlan) -> Denoiser:
        """The guided D(x, sigma) of all items together, x on the model's device; the network sees tiles of them.

        A call at the highest level, where every trajectory begins, begins a new one, since guidance may remember steps.
        """
        highest = self.range[1]
        tiles = [tile for _, tile in self._tiles()]
        denoisers: list[Denoiser] = []

        @torch.no_grad()
        def denoise(x: Tensor, sigma: float) -> Tensor:
            if sigma == highest or not denoisers:
                denoisers[:] = [self._denoiser(plan, tile) for tile in tiles]
            parts = [denoiser(x[tile], sigma) for denoiser, tile in zip(denoisers, tiles, strict=True)]
            return torch.cat(parts)[: len(self.seeds)]

        return denoise

    def seconds_per_evaluation(self, plan: SamplingPlan) -> float:
        """The time that one evaluation of the guided denoiser takes for one item, measured now."""
        _, tile = next(self._tiles())
        x = (self.noise()[tile] * self.range[1]).to(self.model.device)
        denoiser = self._denoiser(plan, tile)
        taken = []
        with torch.no_grad():
            for sigma in (self.range[1], self.range[1] / 2, self.range[1] / 4):  # the first warms up
                began = time.perf_counter()
                denoiser(x, sigma).cpu()
                taken.append(time.perf_counter() - began)
        return min(taken) / len(tile)

    def _denoiser(self, plan: SamplingPlan, tile: Sequence[int]) -> Denoiser:
        """The guided denoiser of one trajectory of a tile."""
        numbers = [self.model.label_number(self.labels[item]) for item in tile]
        known = [number for number in numbers if number is not None]
        return self.model.generator().guided(plan, known or None)

    def _tiles(self) -> Iterator[tuple[int, list[int]]]:
        """The first item of each tile, and its items; the last tile is filled by repetition."""
        count, size = len(self.seeds), self.model.tile
        for start in range(0, count, size):
            yield start, [min(item, count - 1) for item in range(start, start + size)]


def labels_of(model: Model, wanted: Sequence[str] | None) -> tuple[str | None, ...]:
    """The labels to start from: those wanted, each once, or every class; None for a model without classes."""
    labels = tuple(dict.fromkeys(wanted)) if wanted else model.classes if model.conditional else (None,)
    for label in labels:
        model.label_number(label)  # raises for one that is unknown
    return labels


def reference_plan(plan: SamplingPlan, num_steps: int) -> SamplingPlan:
    """The fine solution of what `plan` samples, its guidance included: order 3 on many of Karras' levels."""
    return replace(plan, solver=ExponentialIntegrator(order=3), schedule=Karras(), num_steps=num_steps)


def _generator(seed: int, drawn: Sequence[int] | None = None) -> torch.Generator:
    """An item's generator; after its first noise (of the shape `drawn`) it gives the fresh noise of later steps."""
    generator = torch.Generator().manual_seed(seed)
    if drawn is not None:
        torch.randn(tuple(drawn), generator=generator)
    return generator
