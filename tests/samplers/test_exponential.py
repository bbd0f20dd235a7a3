"""The coefficients against closed forms in 60 decimal digits."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from genaudio.samplers.exponential import extrapolation_to_zero, integral, update


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
    decay, weights = update(prediction, s, s / ratio, nodes, 1.0)
    expected = exact_weights(prediction, s, s / ratio, nodes)
    # Distances between nearly equal levels carry the rounding of the levels themselves: 2e-16 / ln(ratio).
    tolerance = 1e-13 + 4e-16 / math.log(ratio) * 10
    assert weights == pytest.approx(expected, rel=tolerance)
    if prediction == "data":
        assert decay + sum(weights) == pytest.approx(1, abs=1e-12)  # a constant D is a fixed point


@pytest.mark.parametrize("prediction", ["data", "noise", "velocity"])
def test_the_order_of_the_nodes_does_not_matter(prediction: str) -> None:
    nodes = [2.0, 3.0, 5.0]
    decay, weights = update(prediction, 2.0, 1.2, nodes, 0.5)
    decay_other, other = update(prediction, 2.0, 1.2, nodes[::-1], 0.5)
    assert decay == decay_other
    assert weights == pytest.approx(other[::-1], rel=1e-12)


def test_velocity_weights_of_one_node_are_the_turned_angle() -> None:
    s, t, data = 3.0, 0.2, 0.5
    decay, (weight,) = update("velocity", s, t, [s], data)
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
