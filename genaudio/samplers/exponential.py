"""The mathematics of exponential integrators: one update of x from predictions at given noise levels, in float64.

Between two levels the flow is linear in x up to one predicted quantity g, and its exact solution from level s to t is
`decay x + integral of weight(v) g(v) dv` over 0 <= v <= h, with v = ln(s / sigma) and h = ln(s / t). Replacing g by the
polynomial through predictions at some nodes gives `decay x + sum_j w_j g_j`, where only the polynomial is approximate.

| prediction | stored as | decay | weight(v), sigma = s exp(-v), rho(sigma)^2 = sigma^2 + sigma_data^2 |
|---|---|---|---|
| data: D | D | t / s | exp(v - h) |
| noise: (x - D) / sigma | x - D | 1 | -sigma, with (x - D) / sigma |
| velocity of x / rho by the angle | x - (rho / sigma_data)^2 D | rho(t) / rho(s) | -rho(t) sigma sigma_data / rho^2 |

The polynomial may be in another variable than v: sigma, a power of it, the angle atan(sigma / sigma_data), or the time
of the variance-preserving process. Upwards, from a level to a higher one, the same formulas hold with h below 0.

Sources: DPM-Solver++ (arXiv 2211.01095, Eq. 8 and 9) for data, DEIS (arXiv 2204.13902, Eq. 13 to 15) for noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Prediction = Literal["data", "noise", "velocity"]
Basis = Literal["log_sigma", "sigma", "rho", "angle", "vp"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Family:
    """Which quantity is predicted, and the variable in which it is a polynomial."""

    prediction: Prediction
    sigma_data: float = 1.0  # of prediction velocity and basis angle
    basis: Basis = "log_sigma"
    rho: float = 7.0  # of basis rho
    beta_d: float = 19.9  # of basis vp
    beta_min: float = 0.1

    def kappa(self, sigma: float) -> float | None:
        """The stored prediction is x - kappa D; None: it is D itself."""
        if self.prediction == "data":
            return None
        return 1.0 if self.prediction == "noise" else 1 + (sigma / self.sigma_data) ** 2

    def update(self, s: float, t: float, nodes: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """`(decay, weights of the stored predictions)` of the update from level s to level t, neither of them 0.

        `nodes` are the distinct levels of the predictions, in any order and on either side of s.
        """
        h = math.log(s / t)

        def basis(v: Array) -> Array:
            return self._lagrange(v, s, nodes)

        if self.prediction == "data":
            return t / s, _tuple(integral(h, lambda v: np.exp(v - h) * basis(v)))
        if self.prediction == "noise":
            weights = integral(h, lambda v: -s * np.exp(-v) * basis(v))
            return 1.0, _tuple(weights / np.asarray(nodes))

        def rate(v: Array) -> Array:  # d angle / dv of angle = atan(sigma / sigma_data)
            sigma: Array = s * np.exp(-v)
            return -sigma * self.sigma_data / (sigma**2 + self.sigma_data**2)

        weights = integral(h, lambda v: rate(v) * basis(v))
        end = math.hypot(t, self.sigma_data)
        scale = [end * self.sigma_data / (node * math.hypot(node, self.sigma_data)) for node in nodes]
        return end / math.hypot(s, self.sigma_data), _tuple(weights * np.asarray(scale))

    def middle(self, s: float, t: float) -> float:
        """The level in the middle between two, in the variable that the prediction is integrated by."""
        if self.prediction == "data":
            return 2 / (1 / s + 1 / t)
        if self.prediction == "noise":
            return (s + t) / 2
        angle = (math.atan(s / self.sigma_data) + math.atan(t / self.sigma_data)) / 2
        return self.sigma_data * math.tan(angle)

    def _lagrange(self, v: Array, s: float, nodes: Sequence[float]) -> Array:
        """Each node's Lagrange polynomial at ln(s / sigma) = v: (nodes, *v.shape)."""
        if self.basis == "log_sigma":  # in v itself, so that neighbouring nodes lose no digits
            at, where = np.array([math.log(s / node) for node in nodes]), v
        else:
            at, where = self._variable(np.asarray(nodes)), self._variable(s * np.exp(-v))
        result = np.ones((len(nodes), *v.shape))
        for j, node in enumerate(at):
            for i, other in enumerate(at):
                if i != j:
                    result[j] *= (where - other) / (node - other)
        return result

    def _variable(self, sigma: Array) -> Array:
        if self.basis == "sigma":
            return sigma
        if self.basis == "rho":
            return np.asarray(sigma ** (1 / self.rho))
        if self.basis == "angle":
            return np.arctan(sigma / self.sigma_data)
        # sigma(t)^2 + 1 = exp(beta_d t^2 / 2 + beta_min t): EDM's Table 1, column VP, solved for t
        return np.asarray(
            (np.sqrt(self.beta_min**2 + 2 * self.beta_d * np.log1p(sigma**2)) - self.beta_min) / self.beta_d
        )


def _tuple(weights: Array) -> tuple[float, ...]:
    return tuple(float(weight) for weight in weights)


def integral(h: float, function: Callable[[Array], Array]) -> Array:
    """The integral of a smooth function over [0, h], to float64's precision; one for each leading axis that it adds.

    Gauss-Legendre with 16 points on pieces of length at most 1/2. Unlike the closed forms (differences of exponentials
    divided by powers of h) it loses nothing to cancellation, however short the step.
    """
    pieces = max(1, math.ceil(2 * abs(h)))
    points, weights = _gauss()
    width = h / pieces
    starts = np.arange(pieces)[:, None]
    values = function(width * (starts + points))
    return np.asarray((values * weights).sum((-2, -1)) * width)


@cache
def _gauss() -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(16)
    return (points + 1) / 2, weights / 2


def extrapolation_to_zero(last: float, other: float) -> tuple[float, float]:
    """Weights of D at `last` and at `other` > `last` that give D at sigma = 0, linear in sigma^2.

    Near 0 a smooth denoiser is a function of sigma^2 along its trajectory, so this leaves an error of order
    `last^2 other^2` where D(last) alone leaves `last^2`.
    """
    gap = other**2 - last**2
    return other**2 / gap, -(last**2) / gap
