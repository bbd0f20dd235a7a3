"""A combustion engine: firing pulses whose rate wobbles, through the resonances of an exhaust.

The firing order gives every cylinder its own strength, hence the half and quarter orders under the firing frequency
(Baldan, Lachambre, Delle Monache & Boussard, IEEE SIVE 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genaudio.datasets.synthesis.signal import Signal, band, filtered, impulses, resonance, slow_curve


def engine(random: np.random.Generator, length: int, rate: int) -> Signal:
    """An idling or pulling engine: 28 to 75 firings a second, harmonics to about 1.5 kHz, some noise."""
    firing = float(np.exp(random.uniform(np.log(28), np.log(75))))
    drift = random.uniform(-0.12, 0.12) * np.linspace(-1, 1, length)
    wobble = random.uniform(0.01, 0.04) * slow_curve(random, length, rate, random.uniform(3, 7))
    phase = np.cumsum(firing * (1 + drift + wobble)) / rate  # in firings
    firings = np.arange(1, int(phase[-1]) + 1)
    times = np.interp(firings, phase, np.arange(length)) / rate
    cylinders = 1 + random.uniform(0.05, 0.3) * random.uniform(-1, 1, 4)
    strengths = cylinders[firings % 4] * (1 + 0.06 * random.standard_normal(len(firings)))
    pulses = impulses(times, strengths, length, rate)

    pipe = random.uniform(85, 160)
    centres = pipe * np.array([1, 2, 3, 5, 8]) * random.uniform(0.92, 1.08, 5)
    gains = np.array([1.0, 0.8, 0.6, 0.4, 0.25]) * random.uniform(0.6, 1.2, 5)
    brightness = random.uniform(700, 1600)

    def exhaust(frequencies: Signal) -> NDArray[np.complex128]:
        response = np.full(len(frequencies), 0.05, dtype=np.complex128)  # what the pipe does not colour
        for gain, centre in zip(gains, centres, strict=True):
            response += gain * resonance(frequencies, centre, 5.0)
        response /= 1 + (frequencies / brightness) ** 2
        return response

    tone = filtered(pulses, exhaust, rate)
    # Valves and gears: noise that each firing lets through.
    beat = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
    noise = filtered(random.standard_normal(length) * beat, lambda f: band(f, 500, 2500, 1), rate)
    return tone / np.std(tone) + random.uniform(0.05, 0.15) * noise / np.std(noise)
