"""A clip as a page can play it, and how loud it is.

Shapes: waveform (channels, time), float, full scale at 1.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

SILENT_DBFS = -60.0
_FULL_SCALE = 32767 / 32768  # the largest value of a 16-bit sample


@dataclass(frozen=True)
class Level:
    """How loud a clip is, in dB re full scale, and what is wrong with it ("" if nothing is)."""

    peak_dbfs: float
    rms_dbfs: float
    mark: str


def level(waveform: NDArray[np.floating]) -> Level:
    """Peak and RMS over all channels, and a mark: "not finite", "silent" (RMS below -60 dBFS) or "clipped".

    Clipped means beyond full scale anywhere, or two samples in a row at full scale: one alone is what peak
    normalisation leaves.
    """
    if not np.isfinite(waveform).all():
        return Level(math.nan, math.nan, "not finite")
    if waveform.size == 0:
        return Level(-math.inf, -math.inf, "silent")
    magnitude = np.abs(waveform.astype(np.float64))
    peak, rms = float(magnitude.max()), float(np.sqrt(np.square(magnitude).mean()))
    at_full_scale = magnitude >= _FULL_SCALE
    in_a_row = bool((at_full_scale[..., 1:] & at_full_scale[..., :-1]).any())
    mark = "silent" if _dbfs(rms) < SILENT_DBFS else "clipped" if in_a_row or peak > 1 else ""
    return Level(_dbfs(peak), _dbfs(rms), mark)


def encode(waveform: NDArray[np.floating], sample_rate: int) -> tuple[str, bytes]:
    """`(media type, bytes)` of a 16-bit file: FLAC, or WAV where that is smaller. Every current browser plays both."""
    samples = np.clip(np.nan_to_num(waveform, nan=0.0, posinf=1.0, neginf=-1.0), -1, 1).T
    files = {"audio/wav": _file(samples, sample_rate, "WAV")}
    if samples.size > 0 and samples.shape[1] <= 8:
        files["audio/flac"] = _file(samples, sample_rate, "FLAC")
    media = min(files, key=lambda name: len(files[name]))
    return media, files[media]


def _file(samples: NDArray[np.floating], sample_rate: int, container: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format=container, subtype="PCM_16")
    return buffer.getvalue()


def _dbfs(value: float) -> float:
    return 20 * math.log10(value) if value > 0 else -math.inf
