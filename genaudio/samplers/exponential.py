"""The mathematics of exponential integrators: one update of x from predictions at given noise levels, in float64.

With v = ln(s / sigma) the flow from level s to level t is linear in x up to one predicted quantity g, and its exact
solution is `decay x + integral of weight(v) g(v) dv` over 0 <= v <= h = ln(s / t). Replacing g by the polynomial in v
through predictions at some nodes gives `decay x + sum_j w_j g_j`, where only the polynomial is approximate.

| prediction | stored as | decay | weight(v), sigma = s exp(-v), rho(sigma)^2 = sigma^2 + sigma_data^2 |
|---|---|---|---|
| data: D | D | t / s | exp(v - h) |
| noise: (x - D) / sigma | x - D | 1 | -sigma, with (x - D) / sigma |
| velocity of x / rho by the angle | x - (rho / sigma_data)^2 D | rho(t) / rho(s) | -rho(t) sigma sigma_data / rho^2 |

Sources: DPM-Solver++ (arXiv 2211.01095, Eq. 8 and 9) for data, DEIS (arXiv 2204.13902, Eq. 13 to 15) for noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Prediction = Literal["data", "noise", "velocity"]
Array = NDArray[np.float64]


def kappa(prediction: Prediction, sigma: float, sigma_data: float) -> float | None:
    """The stored prediction is x - kappa D; None: it is D itself."""
    if prediction == "data":
        return None
    return 1.0 if prediction == "noise" else 1 + (sigma / sigma_data) ** 2


def update(
    prediction: Prediction, s: float, t: float, nodes: Sequence[float], sigma_data: float
) -> tuple[float, tuple[float, ...]]:
    """`(decay, weights of the stored predictions)` of the update from level s to level t > 0.

    `nodes` are the distinct levels of the predictions, in any order and on either side of s.
    """
    h = math.log(s / t)
    at = [math.log(s / node) for node in nodes]
    if prediction == "data":
        return t / s, _lagrange(h, at, lambda v: np.exp(v - h))
    if prediction == "noise":
        weights = _lagrange(h, at, lambda v: -s * np.exp(-v))
        return 1.0, tuple(weight / node for weight, node in zip(weights, nodes, strict=True))

    def rate(v: Array) -> Array:  # d angle / dv of angle = atan(sigma / sigma_data)
        sigma: Array = s * np.exp(-v)
        return -sigma * sigma_data / (sigma**2 + sigma_data**2)

    weights = _lagrange(h, at, rate)
    end = math.hypot(t, sigma_data)
    decay = end / math.hypot(s, sigma_data)
    scale = [end * sigma_data / (node * math.hypot(node, sigma_data)) for node in nodes]
    return decay, tuple(weight * factor for weight, factor in zip(weights, scale, strict=True))


def integral(h: float, function: Callable[[Array], Array]) -> float:
    """The integral of a smooth function over [0, h], to float64's precision.

    Gauss-Legendre with 16 points on pieces of length at most 1/2. Unlike the closed forms (differences of exponentials
    divided by powers of h) it loses nothing to cancellation, however short the step.
    """
    pieces = max(1, math.ceil(2 * abs(h)))
    points, weights = _gauss()
    width = h / pieces
    starts = np.arange(pieces)[:, None]
    values = function(width * (starts + points))
    return float((values * weights).sum() * width)


@cache
def _gauss() -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(16)
    return (points + 1) / 2, weights / 2


def _lagrange(h: float, nodes: Sequence[float], weight: Callable[[Array], Array]) -> tuple[float, ...]:
    """The integral over [0, h] of `weight` times each Lagrange polynomial of `nodes`."""

    def basis(j: int) -> Callable[[Array], Array]:
        def product(v: Array) -> Array:
            result = weight(v)
            for i, node in enumerate(nodes):
                if i != j:
                    result = result * ((v - node) / (nodes[j] - node))
            return result

        return product

    return tuple(integral(h, basis(j)) for j in range(len(nodes)))


def extrapolation_to_zero(last: float, other: float) -> tuple[float, float]:
    """Weights of D at `last` and at `other` > `last` that give D at sigma = 0, linear in sigma^2.

    Near 0 a smooth denoiser is a function of sigma^2 along its trajectory, so this leaves an error of order
    `last^2 other^2` where D(last) alone leaves `last^2`.
    """
    gap = other**2 - last**2
    return other**2 / gap, -(last**2) / gap
