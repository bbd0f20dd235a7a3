"""Parts of a clip made anew, spans of time or bands of frequency, the rest of it kept.

Where the clip is known it takes the place of the denoiser's estimate, so that x goes to it in a straight line whatever
the solver. What the model adds beside it fits the better the more often a stretch of the way is gone: noise is added
again and taken away again (RePaint, Lugmayr et al. 2022, arXiv 2201.09865, section 4.2).

Shapes: x (batch, features, freq, time); region broadcasts to x, 1 where x is made anew; clip (channels, time).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from genaudio.core.errors import RunError
from genaudio.representations.base import Range
from genaudio.representations.regions import weights
from genaudio.runs.course import Course, Tile
from genaudio.runs.editing.clip import fitted_clip
from genaudio.runs.editing.inversion import encoded_clip
from genaudio.runs.sampling import check_whole
from genaudio.samplers.base import Denoiser, Solver
from genaudio.samplers.noise import randn_like

if TYPE_CHECKING:
    from genaudio.runs.model import Model

FADE = 0.005  # s: how long a span's ends are cross-faded, inside the span
BAND_EDGE = 50.0  # Hz: the same for a band
# Stretches that the way is cut into for going each more than once. Of 1 to 16, eight gave the best conditional mean and
# variance of Gaussians for their cost, and the best fit of a trained model's sounds (benchmarks/editing.py).
STRETCHES = 8
_FREE = 0.5  # weight that some part of the region must reach: else there is nothing to make anew


@dataclass(frozen=True)
class Paste:
    """What of a new waveform goes into the clip: the difference of the two, in the bands, times the fades of the spans.

    Where `over_time` is 0 the clip's own samples are left, bit for bit. Without spans the clip's spectrum outside the
    bands is left, up to rounding.
    """

    over_time: Tensor  # (time,)
    over_freq: Tensor | None  # (time // 2 + 1,): the bins of a transform of the whole clip; None: all frequencies

    def into(self, clip: Tensor, made: Tensor) -> Tensor:
        """The clip `(channels, time)` with what was made `(batch, channels, time)`."""
        difference = made - clip
        if self.over_freq is not None:
            spectrum = torch.fft.rfft(difference.double()) * self.over_freq
            difference = torch.fft.irfft(spectrum, n=clip.shape[-1]).to(clip)
        return clip + difference * self.over_time


@dataclass(frozen=True)
class Inpainting(Course):
    """From noise, as in a generation, with the clip in place of the denoiser's estimate outside the region.

    Each of `STRETCHES` stretches, of a step at least, is gone `resample` times; with 1 nothing is repeated. A solver
    that looks back on earlier steps starts anew on each stretch.
    """

    clip: Tensor = field(repr=False)  # (channels, time)
    encoded: Tensor = field(repr=False)  # (features, freq, time)
    region: Tensor = field(repr=False)
    paste: Paste = field(repr=False)
    resample: int = 1

    def solve(self, solver: Solver, tile: Tile) -> Tensor:
        """The solver's end; outside the region it is the encoded clip."""
        region = self.region.to(tile.noise)
        known = self.encoded.to(tile.noise)

        def denoiser(x: Tensor, sigma: float) -> Tensor:
            return torch.lerp(known.expand_as(x), tile.denoiser(x, sigma), region.expand_as(x))

        start = tile.noise * float(tile.sigmas[0]) + known * (1 - region)
        return self._walk(solver, tile, denoiser, start)

    def _walk(self, solver: Solver, tile: Tile, denoiser: Denoiser, x: Tensor) -> Tensor:
        steps = len(tile.sigmas) - 1
        stretch = steps if self.resample == 1 else math.ceil(steps / STRETCHES)
        total, gone = self.resample * steps, 0

        def told(done: int, _: int) -> None:
            if tile.callback is not None:
                tile.callback(gone + done, total)

        for first in range(0, steps, stretch):
            levels = tile.sigmas[first : first + stretch + 1]
            for again in range(self.resample):
                if again:
                    lift = math.sqrt(float(levels[0]) ** 2 - float(levels[-1]) ** 2)
                    x = torch.add(x, randn_like(x, tile.generators), alpha=lift)
                x = solver.solve(denoiser, x, levels, generator=tile.generators, callback=told)
                gone += len(levels) - 1
        return x

    def finish(self, x: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """The clip with the new part pasted in."""
        return self.paste.into(self.clip, decode(x))


def inpainting(
    model: Model, clip: Tensor, spans: Sequence[Range] = (), bands: Sequence[Range] = (), resample: int = 1
) -> Inpainting:
    """The course that makes spans (s) or bands (Hz) of a clip `(channels, time)` of the model's format anew."""
    check_whole(resample=(resample, 1))
    length, rate = model.audio.length, model.sample_rate
    if not spans and not bands:
        raise RunError("neither spans nor bands", expected="the part to make anew: spans of time, bands of frequency")
    spans = _checked("span", spans, length / rate, "s")
    bands = _checked("band", bands, rate / 2, "Hz")
    region = model.representation.mask(length, model.audio.channels, rate, spans=spans, bands=bands)
    if float(region.max()) < _FREE:
        raise RunError(
            "a region that is narrower than the representation resolves",
            expected="spans or bands that hold at least a frame or a bin of it with its edges",
            mend="widen them",
        )
    over_time = torch.ones(length)
    if spans:
        times = torch.arange(length, dtype=torch.float64) / rate
        over_time = weights(times, spans, (0, length / rate), FADE).float()
    over_freq = None
    if bands:
        bins = torch.arange(length // 2 + 1, dtype=torch.float64) * rate / length
        over_freq = weights(bins, bands, (0, rate / 2), BAND_EDGE)
    return Inpainting(clip, encoded_clip(model, clip), region, Paste(over_time, over_freq), resample)


def inpaint(
    model: Model,
    waveform: Tensor | ArrayLike,
    sample_rate: int,
    spans: Sequence[Range] = (),
    bands: Sequence[Range] = (),
    count: int = 1,
    label: str | None = None,
    seed: int = 0,
    *,
    resample: int = 1,
    start: float | None = None,
    **options: Any,
) -> tuple[Tensor, int]:
    """`count` clips `(count, channels, time)` in which spans or bands of a clip are made anew, and their rate in Hz.

    `spans` are pairs of seconds, counted in the part that is edited, `bands` pairs of Hz; with both, what lies in a
    span and in a band. Outside the spans the clip's samples, as fitted to the model's format, are left bit for bit.
    With bands alone its spectrum outside them is left up to rounding. `resample` goes each stretch of the way so often:
    the new part fits better, the cost is that many times a generation's. `waveform` and `start` are as in `invert`,
    `options` those of `generate`.
    """
    clip = fitted_clip(waveform, sample_rate, model.audio, start)
    return model.generate(count, label, seed, course=inpainting(model, clip, spans, bands, resample), **options)


def _checked(name: str, ranges: Sequence[Range], end: float, unit: str) -> list[Range]:
    """The ranges as floats; raises `RunError` unless each lies, at least in part, between 0 and `end`."""
    checked = []
    for given in ranges:
        try:
            low, high = (float(bound) for bound in given)
        except (TypeError, ValueError):
            raise RunError(f"{name} {given!r}", expected=f"two numbers, in {unit}") from None
        if not (0 <= low < high and low < end and math.isfinite(high)):
            raise RunError(
                f"{name} {low:g} to {high:g} {unit}",
                expected=f"a start from 0 to below {end:g} {unit}, and an end above it (what lies beyond is cut off)",
            )
        checked.append((low, min(high, end)))
    return checked
