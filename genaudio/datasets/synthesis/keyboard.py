"""Typing: each key is a click when it lands and a fainter one when it comes up, rattling in a plastic case."""

from __future__ import annotations

import numpy as np

from genaudio.datasets.synthesis.signal import Signal, add, event_times, modes


def keyboard(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Fast typing: 6 to 11 keys a second, each a few milliseconds of noise and a short rattle at 0.9 to 5 kHz."""
    top = 0.4 * rate
    case = random.uniform(900, 1500) * np.array([1.0, 1.63, 2.41, 3.55])  # the same for all keys of a clip
    out = np.zeros(length)
    for press in event_times(random, length / rate, 1 / random.uniform(6, 11), 0.35):
        force, held = random.uniform(0.5, 1.0), random.uniform(0.045, 0.09)
        key = case * random.uniform(0.93, 1.07, 4)
        for delay, strength in ((0.0, 1.0), (held, random.uniform(0.2, 0.45))):
            add(out, force * strength * _click(random, np.minimum(key, top), rate), round((press + delay) * rate))
    return out


def _click(random: np.random.Generator, frequencies: Signal, rate: int) -> Signal:
    size = round(0.03 * rate)
    time = np.arange(size) / rate
    rattle = modes(random.uniform(0.3, 1.0, 4), frequencies, random.uniform(0.0025, 0.006, 4), size, rate)
    noise = np.diff(random.standard_normal(size + 1))  # brighter than white, as plastic on plastic is
    result: Signal = rattle + 0.7 * noise * np.exp(-time / 0.0012)
    return result
