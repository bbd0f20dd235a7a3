"""Sea waves: noise whose level swells and whose brightness follows, as foam outlasts the roar of the breaker."""

from __future__ import annotations

import numpy as np

from genaudio.datasets.synthesis.signal import Signal, band, filtered


def waves(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Breakers 1 to 2.5 s apart: a roar at 60 to 600 Hz, and foam at 600 to 3,000 Hz that comes a little later."""
    time = np.arange(length) / rate
    period, start = random.uniform(1.0, 2.5), random.uniform(0, 1)
    foam_top = random.uniform(2000, 3200)
    roar = filtered(random.standard_normal(length), lambda f: band(f, 60, 450, 1), rate)
    foam = filtered(random.standard_normal(length), lambda f: band(f, 600, foam_top, 1), rate)
    depth = random.uniform(1.0, 1.8)

    def swell(lag: float) -> Signal:
        level: Signal = np.exp(depth * (np.cos(2 * np.pi * (time / period - start - lag)) - 1))
        return level

    return roar / np.std(roar) * swell(0.0) + random.uniform(0.25, 0.5) * foam / np.std(foam) * swell(0.15)
