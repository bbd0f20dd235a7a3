"""The coefficients against closed forms in 60 decimal digits."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from genaudio.samplers.exponential import Family, extrapolation_to_zero, integral


def exact_weights(prediction: str, s: float, t: float, nodes: list[float]) -> list[float]:
    """By moments: integral of e^v v^k has a closed form, which 60 digits carry through the cancellation."""
    with localcontext() as context:
        context.prec = 60
        start, end = Decimal(s), Decimal(t)
        h = (start / end).ln()
        at = [(start / Decimal(node)).ln() for node in nodes]
        sign = 1 if prediction == "data" else -1
        # M_k = integral over [0, h] of e^(sign v) v^k
        moments = [sign * ((sign * h).exp() - 1)]
        for k in range(1, len(nodes)):
            moments.append(sign * (h**k * (sign * h).exp() - k * moments[-1]))
        scale = (-h).exp() if prediction == "data" else -start
        result = []
        for j, node in enumerate(at):
            others = [other for i, other in enumerate(at) if i != j]
            total = Decimal(0)
            for k in range(len(others) + 1):
                # coefficient of v^k in the product of (v - other)
                size = len(others) - k
                elementary = sum(
                    (math.prod(c, start=Decimal(1)) for c in itertools.combinations(others, size)), Decimal(0)
                )
                total += (-1) ** size * elementary * moments[k]
            total *= scale / math.prod((node - other for other in others), start=Decimal(1))
            result.append(float(total if prediction == "data" else total / Decimal(nodes[j])))
        return result


@pytest.mark.parametrize("prediction", ["data", "noise"])
@pytest.mark.parametrize("ratio", [1 + 1e-7, 1 + 1e-4, 1.01, 1.5, 30.0, 1e5])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_weights_are_exact_however_short_or_long_the_step(prediction: str, ratio: float, count: int) -> None:
    s = 0.7
    nodes = [s, s * ratio**0.9, s * ratio**2.2, s * ratio**3][:count]
    decay, weights = Family(prediction).update(s, s / ratio, nodes)
    expected = exact_weights(prediction, s, s / ratio, nodes)
    # Distances between nearly equal levels carry the rounding of the levels themselves: 2e-16 / ln(ratio).
    tolerance = 1e-13 + 4e-16 / math.log(ratio) * 10
    assert weights == pytest.approx(expected, rel=tolerance)
    if prediction == "data":
        assert decay + sum(weights) == pytest.approx(1, abs=1e-12)  # a constant D is a fixed point


@pytest.mark.parametrize("prediction", ["data", "noise", "velocity"])
def test_the_order_of_the_nodes_does_not_matter(prediction: str) -> None:
    nodes = [2.0, 3.0, 5.0]
    decay, weights = Family(prediction, 0.5).update(2.0, 1.2, nodes)
    decay_other, other = Family(prediction, 0.5).update(2.0, 1.2, nodes[::-1])
    assert decay == decay_other
    assert weights == pytest.approx(other[::-1], rel=1e-12)


def test_velocity_weights_of_one_node_are_the_turned_angle() -> None:
    s, t, data = 3.0, 0.2, 0.5
    decay, (weight,) = Family("velocity", data).update(s, t, [s])
    turned = math.atan2(t, data) - math.atan2(s, data)
    assert decay == pytest.approx(math.hypot(t, data) / math.hypot(s, data))
    assert weight == pytest.approx(math.hypot(t, data) * turned * data / (math.hypot(s, data) * s), rel=1e-13)


def test_integral() -> None:
    assert integral(9.0, np.exp) == pytest.approx(math.expm1(9.0), rel=1e-14)
    assert integral(1e-9, np.cos) == pytest.approx(1e-9, rel=1e-14)


def test_extrapolation_is_exact_for_lines_in_sigma_squared_and_bounded() -> None:
    near, far = extrapolation_to_zero(0.3, 0.9)
    assert near + far == pytest.approx(1)
    assert near * (2 + 5 * 0.3**2) + far * (2 + 5 * 0.9**2) == pytest.approx(2)
    assert extrapolation_to_zero(1.0, 2.0) == pytest.approx((4 / 3, -1 / 3))


@pytest.mark.parametrize("basis", ["log_sigma", "sigma", "rho", "angle", "vp"])
@pytest.mark.parametrize("prediction", ["data", "noise", "velocity"])
def test_a_polynomial_in_the_variable_of_the_basis_is_integrated_exactly(prediction: str, basis: str) -> None:
    """The prediction is a parabola in the variable; the flow's own equation is solved by Runge-Kutta beside it."""
    data, s, t = 0.6, 1.3, 0.4
    family = Family(prediction, data, basis, rho=3.0, beta_d=19.9, beta_min=0.1)

    def variable(sigma: float) -> float:
        if basis == "vp":  # the root of beta_d t^2 / 2 + beta_min t = ln(1 + sigma^2), by bisection
            low, high = 0.0, 5.0
            for _ in range(80):
                middle = (low + high) / 2
                below = 19.9 * middle**2 / 2 + 0.1 * middle < math.log1p(sigma**2)
                low, high = (middle, high) if below else (low, middle)
            return low
        return {
            "log_sigma": math.log(sigma),
            "sigma": sigma,
            "rho": sigma ** (1 / 3),
            "angle": math.atan(sigma / data),
        }[basis]

    def predicted(sigma: float) -> float:
        u = variable(sigma)
        return 0.3 - 0.8 * u + 0.5 * u**2

    def clean(x: float, sigma: float) -> float:
        """D where the prediction is `predicted`: the definition of each prediction, solved for D."""
        g, spread = predicted(sigma), math.hypot(sigma, data)
        if prediction == "data":
            return g
        if prediction == "noise":
            return x - sigma * g
        return (data**2 * x - sigma * data * spread * g) / spread**2  # g = (x - kappa D) data / (sigma spread)

    nodes = [s, 1.9, 2.6]
    x, steps = 0.9, 4000
    decay, weights = family.update(s, t, nodes)
    stored = []
    for node in nodes:
        other = 0.2  # the stored prediction does not depend on x: it is a multiple of `predicted`
        kappa = family.kappa(node)
        stored.append(clean(other, node) if kappa is None else other - kappa * clean(other, node))
    result = decay * x + sum(w * g for w, g in zip(weights, stored, strict=True))

    ratio, sigma = (t / s) ** (1 / steps), s
    for _ in range(steps):  # dx / dsigma = (x - D) / sigma
        middle, end = sigma * ratio**0.5, sigma * ratio
        h = end - sigma
        k1 = (x - clean(x, sigma)) / sigma
        k2 = (x + (middle - sigma) * k1 - clean(x + (middle - sigma) * k1, middle)) / middle
        k3 = (x + (middle - sigma) * k2 - clean(x + (middle - sigma) * k2, middle)) / middle
        k4 = (x + h * k3 - clean(x + h * k3, end)) / end
        x, sigma = x + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6, end
    assert result == pytest.approx(x, rel=1e-6)
