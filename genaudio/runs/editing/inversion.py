"""A clip's noise: the x at the highest noise level from which a deterministic sampler comes to the clip, and back.

The probability-flow equation runs both ways (Song et al. 2021, arXiv 2011.13456, section 4.3; DDIM inversion).

Shapes: noise (count, features, freq, time), near unit variance; waveform (channels, time).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from genaudio.core.errors import GenaudioError, RunError
from genaudio.runs.course import Course, Tile
from genaudio.runs.editing.clip import fitted_clip
from genaudio.samplers.base import Solver

if TYPE_CHECKING:
    from genaudio.runs.model import Model


@dataclass(frozen=True)
class Inversion(Course):
    """From a clip to its noise, up all levels above 0: one step less than a generation.

    A schedule that stops well above `sigma_min`, the least level that the model knows, is begun there: a clip that is
    taken to hold more noise than it does ends elsewhere.
    """

    encoded: Tensor = field(repr=False)  # (features, freq, time)
    sigma_min: float | None = None

    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """The solver's end from the clip at the lowest level, divided by the highest."""
        if solver.stochastic:
            raise RunError(
                "a stochastic solver, which cannot run backwards",
                expected="a deterministic one",
                mend="leave its noise out (heun: s_churn 0), or choose another with solver= or --set solver=…",
            )
        levels = tile.sigmas[tile.sigmas > 0].flip(0)
        if len(levels) < 2:
            raise RunError("an inversion with a budget of one step", expected="at least 2 steps")
        if self.sigma_min is not None and self.sigma_min < levels[0] * (1 - 1e-9):
            levels = torch.cat([levels.new_tensor([self.sigma_min]), levels])
        start = self.encoded.to(tile.noise).expand_as(tile.noise)
        end = solver.solve(tile.denoiser, start, levels, generator=tile.generators, callback=tile.callback)
        return end / float(levels[-1])

    def finish(self, x: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """The noise as it is."""
        return x.cpu()


@dataclass(frozen=True)
class FromNoise(Course):
    """A generation from given noise: item `first_index + k` starts from row k, and again from row 0 after the last."""

    given: Tensor = field(repr=False)  # (count, features, freq, time)
    first_index: int = 0

    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """The solver's end from `sigmas[0]` times the noise."""
        rows = [(index - self.first_index) % len(self.given) for index in tile.indices]
        start = self.given[rows].to(tile.noise) * float(tile.sigmas[0])
        return solver.solve(tile.denoiser, start, tile.sigmas, generator=tile.generators, callback=tile.callback)


def invert(
    model: Model,
    waveform: Tensor | ArrayLike,
    sample_rate: int,
    label: str | None = None,
    *,
    start: float | None = None,
    on_step: Callable[[float], None] | None = None,
    **sampler: Any,
) -> Tensor:
    """The noise `(features, freq, time)` from which the same sampler, label and budget make this clip again.

    `waveform` is `(time,)` or `(channels, time)`; `start` (s) says which part of a longer one. The error of the round
    trip falls with the number of steps; `sampler` takes what `plan` takes. Guidance applies as in a generation, but a
    scale above 1 drives the noise away from unit variance: to vary or mix noises, invert and decode with scale 1.
    """
    encoded = encoded_clip(model, fitted_clip(waveform, sample_rate, model.audio, start))
    course = Inversion(encoded, model.preconditioner.sigma_min)
    noise, _ = model.generate(1, label, course=course, on_step=on_step, **sampler)
    return noise[0]


def decode_noise(
    model: Model, noise: Tensor, label: str | None = None, seed: int = 0, *, first_index: int = 0, **options: Any
) -> tuple[Tensor, int]:
    """The clips `(count, channels, time)` that noise `(count, features, freq, time)` becomes, and their rate in Hz.

    Noise without the first axis is one clip. `options` are those of `generate`; the seed matters to a stochastic solver
    alone.
    """
    given = checked_noise(model, noise)
    course = FromNoise(given, first_index)
    return model.generate(len(given), label, seed, first_index=first_index, course=course, **options)


def encoded_clip(model: Model, clip: Tensor) -> Tensor:
    """A clip `(channels, time)` as the model sees it: `(features, freq, time)`."""
    return model.representation.encode(clip[None])[0]


def checked_noise(model: Model, noise: Tensor) -> Tensor:
    """Noise as `(count, features, freq, time)`, float32; raises `RunError` for another shape or what is not finite."""
    shape = model.representation.shape(model.audio.length, model.audio.channels)
    given = noise[None] if isinstance(noise, Tensor) and noise.ndim == 3 else noise
    if not isinstance(given, Tensor) or given.ndim != 4 or tuple(given.shape[1:]) != shape or not len(given):
        what = f"of shape {tuple(noise.shape)}" if isinstance(noise, Tensor) else f"that is a {type(noise).__name__}"
        raise RunError(f"noise {what}", expected=f"a tensor (count, {', '.join(map(str, shape))}), as this model has")
    if not bool(given.isfinite().all()):
        raise RunError("noise that is not finite", expected="finite numbers, near unit variance")
    return given.detach().float().cpu()


def interpolate(a: Tensor, b: Tensor, share: float) -> Tensor:
    """The noise at `share` of the way from `a` (0) to `b` (1) along the great circle between them.

    Unlike the mean of two noises it keeps their variance, which the model expects (Song et al. 2020, arXiv 2010.02502,
    section 5.3). Beyond 0 and 1 it goes on along the circle.
    """
    if a.shape != b.shape:
        raise GenaudioError(f"noises of shapes {tuple(a.shape)} and {tuple(b.shape)}", expected="two of one shape")
    cosine = float(torch.nn.functional.cosine_similarity(a.double().flatten(), b.double().flatten(), dim=0))
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    if math.sin(angle) < 1e-6:
        return torch.lerp(a, b, share)
    return (a * math.sin((1 - share) * angle) + b * math.sin(share * angle)) / math.sin(angle)
