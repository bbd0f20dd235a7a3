from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from genaudio.evaluation.agreement import Agreement, Rate


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (7, 10), (10, 10), (153, 400), (1, 1)])
def test_the_interval_is_wilsons(successes: int, total: int) -> None:
    peer = binomtest(successes, total).proportion_ci(0.95, method="wilson")
    assert Rate(successes, total).interval == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_nothing_measured_is_not_a_number_and_could_be_anything() -> None:
    assert math.isnan(Rate(0, 0).value)
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_agreement_counts_pairs_by_wanted_class() -> None:
    result = Agreement.of(("a", "b", "c"), np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 1, 1, 2, 1]))
    assert result.confusion.tolist() == [[1, 1, 0], [0, 3, 1], [0, 0, 0]]
    assert result.overall == Rate(4, 6)
    assert result.by_class == {"a": Rate(1, 2), "b": Rate(3, 4), "c": Rate(0, 0)}
    assert result.chance == pytest.approx(1 / 3)
    assert result.as_json()["by_class"]["c"]["value"] is None


def test_a_rate_prints_its_share_its_counts_and_its_interval() -> None:
    assert str(Rate(9, 10)) == "90.0% (9 of 10; 95% 59.6 to 98.2)"
