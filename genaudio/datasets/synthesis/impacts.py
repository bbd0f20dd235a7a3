"""Struck bodies: wood, metal, glass and a bell, each a sum of damped modes that a short contact sets going.

A body is its ratios of mode frequencies and its damping. Modes lose 1 / Q of their energy a radian, so that the decay
time is tau = Q / (pi f), up to a longest time (van den Doel & Pai, "The sounds of physical shapes", Presence 7(4),
1998). A contact of finite length excites high modes less; here by exp(-(f / f_c)^2), a Gaussian pulse's spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genaudio.datasets.synthesis.signal import Signal, add, event_times, modes

# Free-free bar: f_n ~ (beta_n L)^2 with cos(beta L) cosh(beta L) = 1 (Fletcher & Rossing, 1998, section 2.18).
_BETA = np.array([4.7300, 7.8532, 10.9956, 14.1372, 17.2788, 20.4204])
_BAR = (_BETA / _BETA[0]) ** 2
_WINE_GLASS = np.array([1.0, 2.32, 4.25, 6.63, 9.38])  # of a real glass; nearly n^2, as in a thin shell
_CHURCH_BELL = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0])  # hum, prime, tierce, quint, nominal, …


@dataclass(frozen=True)
class Body:
    """What is struck: ranges (low, high) from which each clip draws."""

    ratios: Signal
    pitch: tuple[float, float]  # lowest mode, Hz, log-uniform
    quality: tuple[float, float]  # Q, log-uniform
    longest: tuple[float, float]  # largest decay time, s
    hardness: tuple[float, float]  # f_c of the hammer, as a multiple of the pitch
    doublet: float  # relative split of each mode into two that beat; 0: none
    detune: float  # spread of the ratios from body to body
    click: float  # level of the contact noise
    interval: tuple[float, float]  # time between strikes, s


_WOOD = Body(_BAR, (180, 520), (14, 34), (0.09, 0.16), (2.0, 5.0), 0.0, 0.06, 0.30, (0.28, 0.55))
_METAL = Body(_BAR, (420, 1000), (900, 2600), (0.35, 0.9), (4.0, 9.0), 0.0, 0.012, 0.12, (0.9, 1.6))
_GLASS = Body(_WINE_GLASS, (1500, 2600), (350, 800), (0.06, 0.16), (2.0, 4.0), 0.004, 0.02, 0.20, (0.35, 0.7))
_BELL = Body(_CHURCH_BELL, (320, 640), (2500, 5000), (0.8, 2.0), (2.5, 5.0), 0.003, 0.006, 0.05, (1.4, 2.4))


def _struck(body: Body, random: np.random.Generator, length: int, rate: int) -> Signal:
    pitch = _log_uniform(random, body.pitch)
    frequencies = pitch * body.ratios * (1 + body.detune * random.uniform(-1, 1, len(body.ratios)))
    decays = np.minimum(_log_uniform(random, body.quality) / (np.pi * frequencies), random.uniform(*body.longest))
    if body.doublet:
        split = body.doublet * random.uniform(0.3, 1, len(frequencies))
        frequencies = np.concatenate([frequencies, frequencies * (1 + split)])
        decays = np.concatenate([decays, decays])
    out = np.zeros(length)
    for time in event_times(random, length / rate, random.uniform(*body.interval), 0.25):
        start = round(time * rate)
        cutoff = pitch * random.uniform(*body.hardness)
        # Where the body is struck decides how much each mode gets.
        place = random.uniform(0.35, 1.0, len(frequencies))
        amplitudes = place * np.exp(-((frequencies / cutoff) ** 2)) + 0.02 * place
        strike = modes(amplitudes, frequencies, decays, length - start, rate)
        strike[: round(0.012 * rate)] += body.click * _contact(random, len(strike), rate)
        add(out, strike * random.uniform(0.6, 1.0), start)
    return out


def _contact(random: np.random.Generator, room: int, rate: int) -> Signal:
    """The noise of the contact itself: 12 ms, gone after a few."""
    size = min(round(0.012 * rate), room)
    noise: Signal = random.standard_normal(size) * np.exp(-np.arange(size) / (0.002 * rate))
    return noise


def _log_uniform(random: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(random.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def wood(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Knocks on wooden bars: low, heavily damped, two or three a second."""
    return _struck(_WOOD, random, length, rate)


def metal(random: np.random.Generator, length: int, rate: int) -> Signal:
    """A struck metal bar: few inharmonic modes that ring for about half a second."""
    return _struck(_METAL, random, length, rate)


def glass(random: np.random.Generator, length: int, rate: int) -> Signal:
    """Taps on a drinking glass: high, pairs of modes that beat, short."""
    return _struck(_GLASS, random, length, rate)


def bell(random: np.random.Generator, length: int, rate: int) -> Signal:
    """A church bell in small: hum, prime, minor third, fifth and nominal, beating, long."""
    return _struck(_BELL, random, length, rate)
