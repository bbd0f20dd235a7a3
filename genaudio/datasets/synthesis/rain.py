"""Rain: drops that arrive as a Poisson process, over the hiss of those too many to hear apart.

A drop on water rings mostly as the bubble that it traps, a decaying sine at 1 to 15 kHz (Minnaert 1933; Pumphrey &
Crum, JASA 87(1), 1990); one on a solid is a click.
"""

from __future__ import annotations

import numpy as np

from genaudio.datasets.synthesis.signal import Signal, band, filtered, scattered, slow_curve

_GRAIN = 0.014  # s, after which a drop has decayed


def rain(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Steady rain: 40 to 200 audible drops a second over a hiss that swells a little."""
    top = 0.42 * rate
    low, high = random.uniform(500, 1400), min(random.uniform(5000, 9000), top)
    hiss = filtered(random.standard_normal(length), lambda f: band(f, low, high, 1), rate)
    hiss *= (1 + 0.15 * slow_curve(random, length, rate, 3.0)) / np.std(hiss)

    count = max(int(random.poisson(random.uniform(40, 200) * length / rate)), 1)
    time = np.arange(round(_GRAIN * rate)) / rate
    pitch = random.uniform(1200, min(7000, top), (count, 1))
    decay = random.uniform(0.0006, 0.003, (count, 1))
    sizes = np.minimum(random.lognormal(0.0, 0.6, (count, 1)), 4.0)  # few drops are loud
    drops = sizes * np.sin(2 * np.pi * pitch * time) * np.exp(-time / decay)
    return hiss + random.uniform(0.8, 1.8) * scattered(drops, random.integers(0, length, count), length)
