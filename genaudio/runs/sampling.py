"""Generating clips from a trained model.

An item's sound is a function of (seed, item index, label) alone. Its noise has a generator of its own, and the network
and the solver always see tensors of one fixed batch (a tile), because the rounding of a matrix product may change with
the batch it is computed in. So a sampling batch size decides how much is in memory, never what comes out.

Shapes: x (batch, features, freq, time); labels (batch,), int64; waveform (batch, channels, time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genaudio.core.errors import RunError
from genaudio.core.seeds import derive_seed
from genaudio.networks.conditioners.base import DROPPED
from genaudio.preconditioners.base import Preconditioner
from genaudio.representations.base import Representation
from genaudio.runs.course import GENERATION, Budget, Course, Tile
from genaudio.samplers.base import Denoiser, Solver
from genaudio.samplers.guidance.base import Guidance, listed
from genaudio.samplers.guidance.compose import ConditionalDenoiser, compose
from genaudio.samplers.schedules.base import Schedule
from genaudio.training.device import use_bf16
from genaudio.training.model import DiffusionModel

if TYPE_CHECKING:
    from genaudio.runs.model import Model

DEFAULT_NFE = 20
TILE = {"cpu": 1, "cuda": 16, "mps": 4}  # clips that one call of the network sees


def check_whole(**numbers: tuple[int, int]) -> None:
    """Raise `RunError` unless each number is an integer and at least its second value."""
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise RunError(f"{name} is {value!r}", expected=f"an integer, at least {least}")


@dataclass(frozen=True)
class SamplingPlan:
    """How clips are generated: the components, and the budget in steps."""

    solver: Solver
    schedule: Schedule
    guidance: Guidance | tuple[Guidance, ...] | None
    num_steps: int
    weak: Mapping[str, Model] = field(default_factory=dict)  # the weak models of guidance, by their paths

    @classmethod
    def of(
        cls,
        solver: Solver,
        schedule: Schedule,
        guidance: Guidance | tuple[Guidance, ...] | None,
        *,
        sigma_data: float = 0.5,
        dimensions: int | None = None,
        nfe: int | None = None,
        num_steps: int | None = None,
        weak: Mapping[str, Model] | None = None,
    ) -> SamplingPlan:
        """A plan whose budget is given in evaluations or in steps.

        Without either: the steps that the schedule is made for, else 20 evaluations. `sigma_data` is the standard
        deviation of the encoded data and `dimensions` the numbers of an encoded clip, which some solvers and schedules
        depend on.
        """
        if nfe is not None and num_steps is not None:
            raise RunError("both nfe and num_steps are given", expected="one of them")
        check_whole(**{k: (v, 1) for k, v in (("nfe", nfe), ("num_steps", num_steps)) if v is not None})
        if nfe is None and num_steps is None:
            num_steps = schedule.steps
        budget = nfe or num_steps or DEFAULT_NFE
        solver = solver.fitted(sigma_data, budget, dimensions)
        schedule = schedule.fitted(sigma_data, budget, dimensions)
        if num_steps is None and nfe is None and solver.evaluations(1) is None:
            num_steps = budget  # an adaptive solver takes the ends of the schedule alone
        if num_steps is None:
            num_steps = solver.num_steps(budget)
            least = solver.evaluations(num_steps)
            if least is not None and least > budget:
                raise RunError(
                    f"nfe is {budget}",
                    expected=f"at least {least}, what one step of this solver takes",
                    mend="raise nfe, or choose a solver with cheaper steps",
                )
        return cls(solver, schedule, guidance, num_steps, weak or {})

    @property
    def evaluations(self) -> int | None:
        """Evaluations of the (guided) denoiser for each clip; None where the solver decides on the way."""
        return self.solver.evaluations(self.num_steps)


@dataclass(frozen=True)
class Cost:
    """What one clip took: calls of the guided denoiser, and items put through a network, weak models included."""

    evaluations: int
    network_evaluations: int


class _Counter:
    """Counts, for the clips of a tile together, the calls of a guided denoiser and the items that networks see."""

    def __init__(self) -> None:
        self.calls = 0
        self.items = 0

    def guided(self, denoiser: Denoiser) -> Denoiser:
        def call(x: Tensor, sigma: float) -> Tensor:
            self.calls += 1
            return denoiser(x, sigma)

        return call

    def network(self, denoiser: ConditionalDenoiser) -> ConditionalDenoiser:
        def call(x: Tensor, sigma: float, condition: Tensor | None) -> Tensor:
            self.items += len(x)
            return denoiser(x, sigma, condition)

        return call

    def cost(self, tile: int) -> Cost:
        """That of each clip of the tile, whether it is kept or fills the tile."""
        return Cost(self.calls, self.items // tile)


@dataclass(frozen=True)
class Generator:
    """A trained model and how to sample it; `generate` yields waveforms tile by tile."""

    model: DiffusionModel
    preconditioner: Preconditioner
    representation: Representation
    shape: tuple[int, int, int]
    length: int
    device: torch.device
    precision: str = "auto"

    @torch.no_grad()
    def generate(
        self,
        plan: SamplingPlan,
        seed: int,
        indices: Sequence[int],
        labels: Sequence[int] | None,
        *,
        course: Course = GENERATION,
        on_step: Callable[[float], None] | None = None,
        on_cost: Callable[[Cost], None] | None = None,
    ) -> Iterator[Tensor]:
        """Waveforms `(tile, channels, length)`, float32 on the CPU, for items `indices`; the last may be shorter.

        `labels` is None for an unconditional model; a label of -1 asks a conditional one for any class. `course` is
        what else than plain generation to do. `on_step` gets the number of clips done so far, in fractions; `on_cost`
        the cost of each clip, before its tile.
        """
        tile = TILE.get(self.device.type, 1)
        sigmas = self.sigmas(plan)
        for start in range(0, len(indices), tile):
            some = list(indices[start : start + tile])
            count = len(some)
            some += some[-1:] * (tile - count)
            chosen = None if labels is None else list(labels[start : start + tile])
            if chosen is not None:
                chosen += chosen[-1:] * (tile - count)
            generators = [torch.Generator().manual_seed(derive_seed(seed, "item", index)) for index in some]
            noise = torch.stack([torch.randn(self.shape, generator=generator) for generator in generators])

            def told(done: int, total: int, start: int = start, count: int = count) -> None:
                if on_step is not None:
                    on_step(start + count * done / total)

            counter = _Counter()
            denoiser = counter.guided(self.guided(plan, chosen, counter))
            x = course.solve(plan.solver, Tile(some, noise.to(self.device), denoiser, sigmas, generators, told))
            if on_cost is not None:
                for _ in range(count):
                    on_cost(counter.cost(tile))
            yield course.finish(x, self._decode)[:count]

    def sigmas(self, plan: SamplingPlan) -> Tensor:
        """The noise levels of a generation."""
        return plan.schedule.sigmas(plan.num_steps, self.preconditioner.sigma_min, self.preconditioner.sigma_max)

    def budget(self, plan: SamplingPlan, course: Course) -> Budget:
        """What each item of a course takes."""
        return course.budget(plan.solver, self.sigmas(plan), self.shape)

    def _decode(self, x: Tensor) -> Tensor:
        return self.representation.decode(x, self.length).cpu()

    def guided(self, plan: SamplingPlan, labels: list[int] | None, counter: _Counter | None = None) -> Denoiser:
        """The guided denoiser of one trajectory of a tile with these labels."""
        counter = counter or _Counter()
        condition = null = None
        if labels is not None:
            wanted = torch.tensor(labels, device=self.device)
            condition = self.model.condition(wanted)
            null = self.model.condition(torch.full_like(wanted, DROPPED))
        weak = {path: model.generator().conditional(labels, counter) for path, model in plan.weak.items()}
        return compose(listed(plan.guidance), counter.network(self._denoiser()), condition, null, weak)

    def conditional(self, labels: list[int] | None, counter: _Counter) -> Denoiser:
        """The plain denoiser of these labels, as the weak model of another's guidance."""
        condition = None if labels is None else self.model.condition(torch.tensor(labels, device=self.device))
        denoiser = counter.network(self._denoiser())
        return lambda x, sigma: denoiser(x, sigma, condition)

    def _denoiser(self) -> ConditionalDenoiser:
        bf16 = use_bf16(self.precision, self.device)  # type: ignore[arg-type]
        return self.preconditioner.denoiser(self.model.network_function(bf16=bf16))
