"""Precision, recall, density, coverage: by hand, in expectation, and what each is blind to."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.coverage import Coverage
from genaudio.evaluation.metrics.density import Density
from genaudio.evaluation.metrics.neighbourhood import Neighbourhood
from genaudio.evaluation.metrics.precision import Precision
from genaudio.evaluation.metrics.recall import Recall

KINDS = (Precision, Recall, Density, Coverage)


def line(*places: float) -> FeatureSet:
    return FeatureSet.of(torch.tensor(places, dtype=torch.float64)[:, None])


def values(generated: FeatureSet, reference: FeatureSet, k: int) -> list[float]:
    return [kind(k=k, draws=0).measure(generated, reference).value for kind in KINDS]


def test_on_a_line_by_hand() -> None:
    """Real clips at 0, 1, 3, 7 reach 1, 1, 2, 4 far; generated ones at 2, 2.5, 20 reach 0.5, 0.5, 17.5."""
    precision, recall, density, coverage = values(line(2, 2.5, 20), line(0, 1, 3, 7), 1)
    assert precision == pytest.approx(2 / 3)  # 20 is in no ball
    assert density == pytest.approx((2 + 1 + 0) / 3)  # 2 is in the balls of 1 and 3, 2.5 in that of 3
    assert coverage == pytest.approx(2 / 4)  # the balls of 1 and 3 hold one; 7 reaches to 3, not to 2.5
    assert recall == pytest.approx(2 / 4)  # 3 is 0.5 from 2.5, 7 within 17.5 of 20; 1 is 1 from 2


def test_sets_of_one_distribution_have_their_expected_values(gaussian_set: Any) -> None:
    precision, recall, density, coverage = values(gaussian_set(800, 0), gaussian_set(800, 1), 5)
    assert precision > 0.95
    assert recall > 0.95
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_fewer_modes_cost_recall_and_coverage_noise_costs_precision_and_density(gaussian_set: Any) -> None:
    both = torch.cat([gaussian_set(300, seed, shift=shift).features for seed, shift in ((0, 0.0), (1, 20.0))])
    reference = FeatureSet.of(both)
    one_mode = values(gaussian_set(600, 2), reference, 5)
    assert one_mode[0] > 0.95
    assert one_mode[1] == pytest.approx(0.5, abs=0.05)
    assert one_mode[3] == pytest.approx(0.5, abs=0.05)
    noise = values(gaussian_set(600, 3, shift=10.0, spread=30.0), reference, 5)
    assert noise[0] < 0.1
    assert noise[2] < 0.1
    assert noise[1] > 0.9  # recall takes noise for coverage
    assert noise[3] < 0.1  # coverage does not


def test_one_outlier_carries_precision_and_not_density(gaussian_set: Any) -> None:
    reference = gaussian_set(200, 0)
    reference.features[0] = 100
    generated = gaussian_set(200, 1, shift=60.0)
    precision, _, density, _ = values(generated, reference, 3)
    assert precision > 0.9
    assert density < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_holds_the_value_and_the_card_its_k(kind: type[Neighbourhood], gaussian_set: Any) -> None:
    found = kind(draws=100).measure(gaussian_set(100, 0, shift=1.0), gaussian_set(120, 1))
    low, high = found.interval
    assert 0 <= low <= found.value <= high
    assert high - low < 0.5
    assert kind.better == "higher"
    assert found.card["k"] == kind().k == (3 if kind in (Precision, Recall) else 5)
    assert "100 generated clips" in found.card["notes"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_or_equal_clips_are_refused(kind: type[Neighbourhood], gaussian_set: Any) -> None:
    few = gaussian_set(3, 0)
    with pytest.raises(GenaudioError, match=r"3 (generated|reference) clips for 3 nearest"):
        kind(k=3).measure(few, few)
    with pytest.raises(GenaudioError, match="generated clips whose features are all equal"):
        kind().measure(FeatureSet.of(torch.ones(30, 4)), gaussian_set(30, 1))


def test_blocks_change_nothing(gaussian_set: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = gaussian_set(50, 0), gaussian_set(60, 1)
    whole = values(*sets, 4)
    monkeypatch.setattr("genaudio.evaluation.manifold._BLOCK", 300)
    assert values(*sets, 4) == whole
