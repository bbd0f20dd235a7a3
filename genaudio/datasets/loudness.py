"""Loudness: the K-weighted, gated level of ITU-R BS.1770-4 in LUFS, and what brings a file to a wished level."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genaudio.datasets.fft import fast_length

Normalization = Literal["none", "peak", "loudness"]

_BLOCK, _OVERLAP = 0.4, 0.75  # s, share (BS.1770-4, annex 1)
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0  # LUFS, LU
_OFFSET = -0.691  # dB: a 997 Hz sine of full scale in one channel reads -3.01 LUFS


def loudness(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Integrated loudness of (channels, frames) in LUFS; all channels weigh 1; -inf for silence.

    A clip shorter than a block of 400 ms is measured as one block.
    """
    power = np.square(_k_weighted(waveform.astype(np.float64), sample_rate)).sum(axis=0)
    size = min(round(_BLOCK * sample_rate), len(power))
    step = max(round(size * (1 - _OVERLAP)), 1)
    total = np.concatenate([[0.0], np.cumsum(power)])
    starts = np.arange(0, len(power) - size + 1, step)
    blocks = np.maximum((total[starts + size] - total[starts]) / size, 0.0)

    loud = blocks[blocks > _from_level(_ABSOLUTE_GATE)]
    if not len(loud):
        return -math.inf
    loud = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return _OFFSET + 10 * math.log10(loud.mean())


def gain(kind: Normalization, peak: float, loudness_lufs: float, peak_level: float, loudness_level: float) -> float:
    """The factor that normalises a file of the given peak and loudness.

    `peak` brings the largest sample to `peak_level` dBFS. `loudness` brings the file to `loudness_level` LUFS, or as
    near as its peak can come to `peak_level`. With `none` only a file that exceeds full scale is scaled, down to 1.
    """
    ceiling = 10 ** (peak_level / 20) / peak
    if kind == "peak":
        return ceiling
    if kind == "loudness" and math.isfinite(loudness_lufs):
        return min(float(10 ** ((loudness_level - loudness_lufs) / 20)), ceiling)
    return min(1.0, 1 / peak)


def _from_level(level: float) -> float:
    return float(10 ** ((level - _OFFSET) / 10))


def _k_weighted(waveform: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The two filters of BS.1770-4, applied to the spectrum; 0.2 s of room for their ring."""
    size = fast_length(waveform.shape[1] + rate // 5)
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    response = np.ones_like(z)
    for numerator, denominator in _biquads(rate):
        response *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return np.fft.irfft(np.fft.rfft(waveform, size) * response, size)[:, : waveform.shape[1]]


def _biquads(rate: int) -> tuple[tuple[list[float], list[float]], ...]:
    """Coefficients (b, a) at any rate: bilinear transforms whose values at 48 kHz are the tables of BS.1770-4."""
    # High shelf of +4 dB: the acoustic effect of the head.
    k, q = math.tan(math.pi * min(1681.974450955533 / rate, 0.45)), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    shelf = (
        [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k],
        [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k],
    )
    # High-pass at 38 Hz: the revised low-frequency B curve.
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    scale = 1 + k / q + k * k
    high_pass = ([scale, -2 * scale, scale], [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    return shelf, high_pass
