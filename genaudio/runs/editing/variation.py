"""Variations of a clip: noise is added up to a level, and the model takes it away again (SDEdit, arXiv 2108.01073).

Shapes: x (batch, features, freq, time); waveform (channels, time).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from genaudio.core.errors import RunError
from genaudio.runs.course import GENERATION, Course, Tile
from genaudio.runs.editing.clip import fitted_clip
from genaudio.runs.editing.inversion import encoded_clip
from genaudio.samplers.base import Solver

if TYPE_CHECKING:
    from genaudio.runs.model import Model

# Noise over sound at strength 0.5. With 2 the log-mel distance to the clip is nearly even in the strength: half of a
# fresh generation's distance at 0.5 (benchmarks/editing.py).
HALFWAY = 2.0


@dataclass(frozen=True)
class Variation(Course):
    """From the clip and noise of `sigma` down the levels of the schedule that lie below it.

    0 is the clip itself, without a step; None is a generation that knows nothing of the clip.
    """

    encoded: Tensor = field(repr=False)  # (features, freq, time)
    sigma: float | None

    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """The solver's end from the clip with noise."""
        if self.sigma is None:
            return GENERATION.solve(solver, tile)
        clean = self.encoded.to(tile.noise).expand_as(tile.noise)
        if self.sigma == 0:
            return clean
        start = torch.add(clean, tile.noise, alpha=self.sigma)
        levels = levels_from(self.sigma, tile.sigmas)
        return solver.solve(tile.denoiser, start, levels, generator=tile.generators, callback=tile.callback)


def levels_from(sigma: float, sigmas: Tensor) -> Tensor:
    """`sigma` and the levels of a schedule below it, without the first of them where that is nearer than half a step.

    A step much shorter than the next ones costs an evaluation for nothing, and a multistep solver its stability.
    """
    below = sigmas[sigmas < sigma]
    if len(below) > 2 and math.log(sigma / below[0]) < 0.5 * math.log(below[0] / below[1]):
        below = below[1:]
    return torch.cat([below.new_tensor([sigma]), below])


def noise_level(strength: float, sigma_data: float, sigma_min: float, sigma_max: float) -> float | None:
    """The level up to which a strength adds noise: 0 for 0, None (all noise) for 1.

    Between them `HALFWAY sigma_data tan(strength pi / 2)`: noise over sound as the tangent of an angle, which goes from
    0 to infinity, evenly on both sides of 0.5. Bounded by the model's range of levels.
    """
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise RunError(f"strength is {strength!r}", expected="a number from 0 (the clip) to 1 (nothing of it)")
    if strength in (0, 1):
        return None if strength == 1 else 0.0
    return min(max(HALFWAY * sigma_data * math.tan(strength * math.pi / 2), sigma_min), sigma_max)


def variation(model: Model, clip: Tensor, strength: float) -> Variation:
    """The course that varies a clip `(channels, time)` of the model's format."""
    preconditioner = model.preconditioner
    sigma = noise_level(strength, model.sigma_data, preconditioner.sigma_min, preconditioner.sigma_max)
    return Variation(encoded_clip(model, clip), sigma)


def vary(
    model: Model,
    waveform: Tensor | ArrayLike,
    sample_rate: int,
    strength: float,
    count: int,
    label: str | None = None,
    seed: int = 0,
    *,
    start: float | None = None,
    **options: Any,
) -> tuple[Tensor, int]:
    """`count` variations `(count, channels, time)` of a clip, and their rate in Hz.

    `strength` 0 gives the clip back, as exact as the representation is; 1 is what `generate` makes with the same seed.
    The budget (`nfe` or `num_steps`) is that of a generation: a variation takes its levels below its own first one, so
    it costs less. `waveform` and `start` are as in `invert`, `options` those of `generate`.
    """
    course = variation(model, fitted_clip(waveform, sample_rate, model.audio, start), strength)
    return model.generate(count, label, seed, course=course, **options)
