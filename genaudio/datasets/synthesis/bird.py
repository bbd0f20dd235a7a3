"""A songbird: syllables that sweep in frequency, nearly pure tones as a syrinx makes them, repeated as a motif.

The contours (rising, falling, arched, trilled) are the ones that field guides and Catchpole & Slater, "Bird Song"
(2008), tell apart.
"""

from __future__ import annotations

import numpy as np

from genaudio.datasets.synthesis.signal import Signal, add


def bird(random: np.random.Generator, length: int, rate: int) -> Signal:
    """One bird's motif: 1 to 3 kinds of syllable, 60 to 180 ms long, between 1.8 and 6.5 kHz, over and over."""
    ceiling = min(6500.0, 0.4 * rate)
    kinds = [_kind(random, ceiling) for _ in range(random.integers(1, 4))]
    gap = random.uniform(0.02, 0.08)
    out = np.zeros(length)
    start, index = min(random.uniform(0.01, 0.08), 0.3 * length / rate), 0
    while start < length / rate - 0.03:
        contour, duration = kinds[index % len(kinds)]
        size = round(duration * random.uniform(0.92, 1.08) * rate)
        add(out, _syllable(random, contour * random.uniform(0.98, 1.02), size, rate), round(start * rate))
        start += size / rate + gap * random.uniform(0.8, 1.2)
        index += 1
        if index % len(kinds) == 0:
            start += random.uniform(0.0, 0.1)
    return out


def _kind(random: np.random.Generator, ceiling: float) -> tuple[Signal, float]:
    """A contour of 64 frequencies and a duration in seconds."""
    place = np.linspace(0, 1, 64)
    low = random.uniform(1800, max(0.55 * ceiling, 1900))
    high = random.uniform(min(1.25 * low, 0.95 * ceiling), ceiling)
    shapes = (
        place,
        1 - place**0.7,
        np.sin(np.pi * place),
        0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(1.5, 2.5) * place),
    )
    shape = shapes[random.integers(len(shapes))]
    contour: Signal = low + (high - low) * shape
    return contour, random.uniform(0.06, 0.18)


def _syllable(random: np.random.Generator, contour: Signal, size: int, rate: int) -> Signal:
    place = np.arange(size) / size
    frequency = np.interp(place, np.linspace(0, 1, len(contour)), contour)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    envelope = np.minimum(np.minimum(place / 0.15, (1 - place) / 0.3), 1.0)
    # The second harmonic stays below Nyquist or is left out.
    overtone = random.uniform(0.02, 0.12) * np.sin(2 * phase) * (2 * frequency < 0.43 * rate)
    result: Signal = (np.sin(phase) + overtone) * np.sin(0.5 * np.pi * envelope) ** 2 * random.uniform(0.7, 1.0)
    return result
