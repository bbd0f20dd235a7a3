"""Footsteps: for each step a heel strike and a softer toe, bursts of noise through the resonances of the floor.

Two contacts a step, the toe 60 to 130 ms after the heel (Li, Logan & Pastore, JASA 90(6), 1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genaudio.datasets.synthesis.signal import Signal, add, band, event_times, filtered, resonance


def footsteps(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Somebody walking: about two steps a second, low thuds with a scrape of grit."""
    thud, grit = np.zeros(length), np.zeros(length)
    heel_to_toe = random.uniform(0.06, 0.13)
    for step in event_times(random, length / rate, random.uniform(0.42, 0.62), 0.08):
        weight = random.uniform(0.75, 1.0)
        for delay, strength, decay in ((0.0, 1.0, 0.010), (heel_to_toe, random.uniform(0.35, 0.6), 0.018)):
            start = round((step + delay) * rate)
            add(thud, weight * strength * _burst(random, decay, rate), start)
            add(grit, weight * strength * _burst(random, 2.5 * decay, rate), start)
    floor = random.uniform(70, 130)
    centres = (floor, floor * random.uniform(1.8, 2.4), floor * random.uniform(3.2, 4.5))
    scrape_low, scrape_high = random.uniform(600, 1000), random.uniform(1800, 3000)

    def body(frequencies: Signal) -> NDArray[np.complex128]:
        response = resonance(frequencies, centres[0], 3.0)
        response += 0.6 * resonance(frequencies, centres[1], 4.0) + 0.3 * resonance(frequencies, centres[2], 4.0)
        return response

    low = filtered(thud, body, rate, tail=0.2)
    high = filtered(grit, lambda f: band(f, scrape_low, scrape_high), rate)
    steps: Signal = low / np.abs(low).max() + random.uniform(0.06, 0.22) * high / np.abs(high).max()
    return steps


def _burst(random: np.random.Generator, decay: float, rate: int) -> Signal:
    """Noise that rises within a millisecond and decays; `decay` in seconds."""
    time = np.arange(round(6 * decay * rate)) / rate
    noise: Signal = random.standard_normal(len(time)) * np.minimum(time / 0.001, 1) * np.exp(-time / decay)
    return noise
