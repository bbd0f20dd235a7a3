"""The picture of a clip: log-mel power over time as a small PNG, and the marks of its axes.

Shapes: waveform (channels, time); levels (bands, frames) in dB re a full-scale sine.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from genaudio.evaluation.log_mel import LogMel, channel_average, hz_to_mel

COLOURS = "magma"  # even in lightness: reads the same in grey print and to colour-blind eyes
RANGE_DB = 80.0
_BANDS = 96
_COLUMNS = 256
_WINDOW = 0.032


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: its text, and its place from 0 (low end) to 1."""

    text: str
    place: float


def levels(waveform: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """`(bands, frames)` in dB, lowest band first: power is averaged over channels, about 256 frames a clip."""
    finite = np.nan_to_num(waveform, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
    if finite.shape[-1] == 0:
        finite = np.zeros((1, 1), np.float32)
    hop = max(1, round(finite.shape[-1] / _COLUMNS)) / sample_rate
    transform = LogMel(sample_rate, bands=_BANDS, window=max(_WINDOW, 2 * hop), hop=hop)
    picture: NDArray[np.float32] = channel_average(transform(torch.from_numpy(np.ascontiguousarray(finite)))).numpy()
    return picture


def ceiling(pictures: list[NDArray[np.float32]]) -> float:
    """The bright end, in dB, of all pictures of a page: the 99.9th percentile of their cells, up to the next 5 dB.

    Between -60 and 0 dB, so that neither a page of silence is amplified nor one overloaded clip darkens all others.
    """
    cells = np.concatenate([picture.ravel() for picture in pictures]) if pictures else np.zeros(1)
    return 5.0 * math.ceil(min(max(float(np.percentile(cells, 99.9)), -60.0), 0.0) / 5)


def png(picture: NDArray[np.float32], top: float) -> bytes:
    """The PNG of levels between `top - 80` and `top` dB, low frequencies below."""
    share = np.clip((picture[::-1] - (top - RANGE_DB)) / RANGE_DB, 0, 1)
    image = Image.fromarray(np.ascontiguousarray(np.rint(share * 255), dtype=np.uint8))  # a byte a cell, not four
    image.putpalette(matplotlib.colormaps[COLOURS](np.arange(256), bytes=True)[:, :3].tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def frequency_ticks(sample_rate: int) -> list[Tick]:
    """Marks at round frequencies, placed on the mel scale."""
    nyquist = sample_rate / 2
    choices = [f for f in (100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000) if f <= nyquist * 0.9]
    shown = choices[-4:] if len(choices) > 4 else choices
    marks = [250, 1000] if nyquist > 2500 else []
    wanted = sorted({*marks, *shown})
    return [Tick(_hertz(f), hz_to_mel(f) / hz_to_mel(nyquist)) for f in wanted]


def scale(top: float) -> dict[str, object]:
    """The colour scale of a page, as its template draws it: text of both ends in dB, and colours between."""
    low, high = (f"{end:g}".replace("-", "−") for end in (top - RANGE_DB, top))
    return {"low": low, "high": high, "stops": colour_stops()}


def colour_stops(count: int = 9) -> list[str]:
    """The colour scale from quiet to loud, as CSS colours."""
    scale = matplotlib.colormaps[COLOURS](np.linspace(0, 1, count), bytes=True)
    return ["#{:02x}{:02x}{:02x}".format(*colour[:3]) for colour in scale]


def _hertz(frequency: float) -> str:
    return f"{frequency / 1000:g}k" if frequency >= 1000 else f"{frequency:g}"
