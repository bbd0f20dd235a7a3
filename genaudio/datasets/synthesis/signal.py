"""The tools that the synthesised sounds share: filters on the spectrum, sums of damped modes, grains, event times.

Signals are float64 arrays of shape (time,); frequencies are in Hz, times in seconds, rates in Hz. Only numpy is used:
a sum of modes is one small matrix product and a filter is one product of spectra, so that a second of sound costs about
a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genaudio.datasets.fft import fast_length

Signal = NDArray[np.float64]
Sound = Callable[[np.random.Generator, int, int], Signal]  # (random numbers, length, sample rate) -> (length,)

_PASS, _STOP = 0.86, 0.94  # edges of the roll-off below Nyquist, as shares of it
_ARC = 32  # points of an arc of a slow curve, joined by lines
_HIGH_PASS = 30.0  # below, a loudspeaker gives nothing and a mean would hide


def filtered(
    signal: Signal, response: Callable[[Signal], Signal | NDArray[np.complex128]], rate: int, tail: float = 0.05
) -> Signal:
    """`signal` through the filter of the given response to frequency; `tail` seconds of room for its ring."""
    size = fast_length(len(signal) + round(tail * rate))
    frequencies: Signal = np.fft.rfftfreq(size, 1 / rate).astype(np.float64)
    spectrum = np.fft.rfft(signal, size) * response(frequencies)
    return np.fft.irfft(spectrum, size)[: len(signal)]


def resonance(frequencies: Signal, centre: float, quality: float) -> NDArray[np.complex128]:
    """Response of a band-pass resonator of unit gain at `centre`: 1 / (1 + j Q (f / f0 - f0 / f))."""
    ratio = np.maximum(frequencies, 1e-3) / centre
    response = np.ones(len(ratio), dtype=np.complex128)
    response.imag = quality * (ratio - 1 / ratio)
    return np.reciprocal(response)


def band(frequencies: Signal, low: float, high: float, order: int = 2) -> Signal:
    """Zero-phase band-pass magnitude (Butterworth): 3 dB down at `low` and at `high`."""
    above, below = (low / np.maximum(frequencies, 1e-9)) ** 2, (frequencies / high) ** 2
    if order > 1:
        above, below = above**order, below**order
    magnitude: Signal = np.sqrt(1 / ((1 + above) * (1 + below)))
    return magnitude


@lru_cache(maxsize=16)
def _limits(size: int, rate: int) -> Signal:
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    nyquist = rate / 2
    ramp = np.clip((frequencies / nyquist - _PASS) / (_STOP - _PASS), 0, 1)
    high_pass = 1 / (1 + (_HIGH_PASS / np.maximum(frequencies, 1e-3)) ** 4)
    mask: Signal = high_pass * np.cos(ramp * np.pi / 2) ** 2
    mask[0] = 0.0
    return mask


def band_limited(signal: Signal, rate: int) -> Signal:
    """`signal` without anything below 30 Hz or above 0.94 of the Nyquist frequency."""
    size = fast_length(len(signal) + rate // 20)
    return np.fft.irfft(np.fft.rfft(signal, size) * _limits(size, rate), size)[: len(signal)]


def modes(amplitudes: Signal, frequencies: Signal, decays: Signal, length: int, rate: int) -> Signal:
    """sum_m a_m exp(-t / tau_m) sin(2 pi f_m t); modes above 0.86 of Nyquist are left out.

    With t = (i B + j) / rate each mode is a product z^(i B) z^j, so the sum over modes is a matrix product of
    (rows, modes) and (modes, B): 2 sqrt(length) exponentials a mode instead of `length`.
    """
    audible = frequencies < _PASS * rate / 2
    exponents = (2j * np.pi * frequencies[audible] - 1 / decays[audible]) / rate
    block = int(np.ceil(np.sqrt(length)))
    coarse = np.exp(np.arange(block)[:, None] * block * exponents) * amplitudes[audible]  # (rows, modes)
    fine = np.exp(exponents[:, None] * np.arange(block))  # (modes, block)
    result: Signal = (coarse.imag @ fine.real + coarse.real @ fine.imag).reshape(-1)[:length]
    return result


def add(target: Signal, signal: Signal, start: int) -> None:
    """Add `signal` to `target` from sample `start` on, in place; what goes past the end is cut."""
    room = len(target) - start
    if room > 0:
        target[start : start + len(signal)] += signal[:room]


def scattered(grains: Signal, starts: NDArray[np.int64], length: int) -> Signal:
    """The sum of `grains` (count, size), each from its sample in `starts` on; what goes past the end is cut."""
    places = (starts[:, None] + np.arange(grains.shape[1])).reshape(-1)
    summed: Signal = np.bincount(places, weights=grains.reshape(-1), minlength=length)[:length].astype(np.float64)
    return summed


def impulses(times: Signal, strengths: Signal, length: int, rate: int) -> Signal:
    """Impulses at `times`, each shared linearly between its two nearest samples."""
    places = times * rate
    left = np.floor(places).astype(np.int64)
    share = places - left
    pairs = np.stack([strengths * (1 - share), strengths * share], axis=1)
    return scattered(pairs, left, length)


def event_times(random: np.random.Generator, duration: float, interval: float, jitter: float) -> Signal:
    """Times of a nearly regular chain of events: the first within 10 to 80 ms, then `interval` apart.

    Each interval varies by a uniform share of +-`jitter`.
    """
    first = min(random.uniform(0.01, 0.08), 0.3 * duration)
    count = int((duration - first) / (interval * (1 - jitter))) + 1
    steps = interval * random.uniform(1 - jitter, 1 + jitter, count)
    times = first + np.concatenate([[0.0], np.cumsum(steps)])
    result: Signal = times[times < max(duration - 0.02, first + 1e-9)]
    return result


def slow_curve(random: np.random.Generator, length: int, rate: int, pace: float) -> Signal:
    """A smooth random curve in [-1, 1]: uniform values `pace` times a second, joined by arcs of a cosine."""
    knots = int(np.ceil(length / rate * pace)) + 2
    values = random.uniform(-1, 1, knots)
    blend = 0.5 - 0.5 * np.cos(np.pi * np.arange(_ARC) / _ARC)
    arcs = (values[:-1, None] * (1 - blend) + values[1:, None] * blend).reshape(-1)
    place = np.arange(length) * (pace * _ARC / rate) + random.uniform(0, 1) * _ARC
    curve: Signal = np.interp(place, np.arange(len(arcs)), arcs)
    return curve
