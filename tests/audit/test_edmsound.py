"""EDMSound's statistic: against its definition clip by clip, copies found, classes, limits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from genaudio.audit.edmsound import edmsound, likeness
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet


def drawn(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(count: int, classes: str = "ab") -> list[str]:
    return [classes[n % len(classes)] for n in range(count)]


def cosine(first: Tensor, second: Tensor) -> float:
    """The largest over pairs of windows."""
    return max(float(torch.dot(x, y) / (x.norm() * y.norm())) for x in first for y in second)


def test_it_is_the_definition_clip_by_clip() -> None:
    generated, training = drawn((44, 3, 6), 0), drawn((50, 3, 6), 1)
    here, there = labels(44), labels(50)
    result = edmsound(FeatureSet.of(generated, labels=here), FeatureSet.of(training, labels=there), draws=10, block=17)
    to_training = [
        max((cosine(x, y), -j) for j, y in enumerate(training) if there[j] == here[i]) for i, x in enumerate(generated)
    ]
    among = [
        max(cosine(x, y) for j, y in enumerate(training) if there[j] == there[i] and j != i)
        for i, x in enumerate(training)
    ]
    found = result.generated
    np.testing.assert_allclose(found.scores, [score for score, _ in to_training], rtol=1e-6)
    assert found.clip.tolist() == [-j for _, j in to_training]
    np.testing.assert_allclose(result.training.scores, among, rtol=1e-6)
    for i, (mine, theirs) in enumerate(found.window.tolist()):
        pair = generated[i, mine : mine + 1], training[found.clip[i], theirs : theirs + 1]
        assert cosine(*pair) == pytest.approx(float(found.scores[i]), abs=1e-6)
    wanted = np.percentile([score for score, _ in to_training], 95) - np.percentile(among, 95)
    assert result.overall.value == pytest.approx(wanted, abs=1e-6)
    of_b = [score for (score, _), label in zip(to_training, here, strict=True) if label == "b"]
    among_b = [score for score, label in zip(among, there, strict=True) if label == "b"]
    assert result.by_class["b"].value == pytest.approx(np.percentile(of_b, 95) - np.percentile(among_b, 95), abs=1e-6)


def test_copies_raise_it_and_fresh_draws_leave_zero_in_the_interval() -> None:
    training = FeatureSet.of(drawn((400, 16), 2))
    fresh = edmsound(FeatureSet.of(drawn((400, 16), 3)), training)
    assert fresh.overall.interval is not None
    assert fresh.overall.interval[0] < 0 < fresh.overall.interval[1]
    copies = training.features[:40] + 0.05 * drawn((40, 16), 4)
    result = edmsound(FeatureSet.of(torch.cat([copies, drawn((360, 16), 5)])), training)
    assert result.overall.interval is not None
    assert result.overall.interval[0] > 0
    assert result.generated.clip[:40].tolist() == list(range(40))


def test_a_copy_of_another_class_is_not_looked_at() -> None:
    training = FeatureSet.of(drawn((60, 8), 6), labels=labels(60))
    swapped = FeatureSet.of(training.features, labels=labels(60, "ba"))
    assert float(likeness(swapped, training).scores.max()) < 0.999
    assert float(likeness(swapped, training, by_class=False).scores.min()) == pytest.approx(1.0)


def test_without_labels_there_is_the_overall_statistic_alone() -> None:
    training = FeatureSet.of(drawn((40, 8), 7), labels=labels(40))
    result = edmsound(FeatureSet.of(drawn((40, 8), 8)), training, draws=0)
    assert result.by_class == {}
    assert result.card["same_class"] is False
    assert result.overall.interval is None


def test_classes_of_one_side_are_named_and_do_not_count() -> None:
    generated = FeatureSet.of(drawn((60, 8), 9), labels=labels(60, "abc"))
    training = FeatureSet.of(drawn((90, 8), 10), labels=labels(90, "abd"))
    result = edmsound(generated, training, draws=10)
    assert result.card["classes_only_generated"] == ["c"]
    assert result.card["classes_only_training"] == ["d"]
    assert (result.overall.generated, result.overall.training) == (40, 60)
    assert sorted(result.by_class) == ["a", "b"]
    assert len(result.as_json()["nearest"]) == 40


def test_without_a_class_in_common_every_clip_meets_every_other() -> None:
    generated, training = drawn((40, 8), 21), drawn((50, 8), 22)
    strangers = edmsound(
        FeatureSet.of(generated, labels=labels(40, "ab")), FeatureSet.of(training, labels=labels(50, "cd")), draws=10
    )
    assert strangers.overall == edmsound(FeatureSet.of(generated), FeatureSet.of(training), draws=10).overall
    assert strangers.card["same_class"] is False
    assert strangers.by_class == {}


def test_a_class_with_few_clips_has_a_limit_instead_of_a_number() -> None:
    few = ["a"] * 40 + ["b"] * 5
    result = edmsound(
        FeatureSet.of(drawn((45, 8), 11), labels=few), FeatureSet.of(drawn((45, 8), 12), labels=few), draws=10
    )
    assert result.by_class["a"].value is not None
    assert result.by_class["b"].value is None
    assert "fewer than 20" in str(result.by_class["b"].limit)


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (FeatureSet.of(drawn((10, 8), 13)), "10 generated and 40 training clips"),
        (FeatureSet.of(drawn((40, 8), 13), card={"embedding": "clap"}), "generated clips with embedding clap"),
        (FeatureSet.of(drawn((40, 8), 13), card={"tuned_sha256": "0"}), "with tuned_sha256 0"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(generated: FeatureSet, message: str) -> None:
    with pytest.raises(GenaudioError, match=message):
        edmsound(generated, FeatureSet.of(drawn((40, 8), 14)))


def test_the_result_is_plain_data_and_repeats() -> None:
    generated, training = FeatureSet.of(drawn((30, 8), 15)), FeatureSet.of(drawn((30, 8), 16))
    first: Any = json.loads(json.dumps(edmsound(generated, training).as_json()))
    assert first == json.loads(json.dumps(edmsound(generated, training).as_json()))
    assert first["nearest"][0]["training"] in training.names
    assert first["overall"]["value"] == first["overall"]["generated_p95"] - first["overall"]["training_p95"]
