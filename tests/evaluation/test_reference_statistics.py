"""Reference statistics: round trips, and refusal of what does not fit."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments
from genaudio.evaluation.measuring import embedding_card
from genaudio.evaluation.metrics.fad import FAD
from genaudio.evaluation.reference_statistics import check_same_embedding, load_statistics, save_statistics

CARD = embedding_card(MelStatistics(rate=8000, bands=4), "mel_statistics") | {"channels": 1, "silent_clips": 0}


def features(clips: int = 40, frames: int = 3, seed: int = 0) -> FeatureSet:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(clips, frames, 6, dtype=torch.float64, generator=generator)
    logs = torch.randn(clips, 2, dtype=torch.float64, generator=generator).log_softmax(-1)
    labels = ["rain", "métal"] * (clips // 2 - 1) + [None, None]
    return FeatureSet.of(rows, labels=labels, log_probabilities=logs, classes=("x", "y"), card=CARD)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "reference.safetensors"


def test_features_come_back_exactly(path):
    given = features()
    save_statistics(path, given)
    found = load_statistics(path)
    assert torch.equal(found.features, given.features)
    assert torch.equal(found.clip, given.clip)
    assert torch.equal(found.log_probabilities, given.log_probabilities)
    assert (found.names, found.labels, found.classes) == (given.names, given.labels, given.classes)
    assert found.card == json.loads(json.dumps(CARD))
    assert found.moments is None


def test_features_without_classes_come_back_too(path):
    given = FeatureSet.of(torch.randn(5, 6).double(), card=CARD)
    save_statistics(path, given)
    found = load_statistics(path)
    assert torch.equal(found.features, given.features)
    assert (found.log_probabilities, found.labels) == (None, (None,) * 5)


def test_moments_give_the_same_distance_and_hold_no_clip(path):
    given, generated = features(200), features(100, seed=1)
    save_statistics(path, given, moments_only=True)
    found = load_statistics(path)
    assert found.moments is not None
    assert (found.moments.count, found.clips, len(found.features)) == (600, 0, 0)
    assert found.found_classes == ("métal", "rain")
    part = Moments.of(given.of_class("rain").features)
    assert torch.equal(found.of_class("rain").moments.covariance, part.covariance)
    metric = FAD(draws=0)
    exact = metric.measure(generated, given).value
    assert metric.measure(generated, found).value == pytest.approx(exact, rel=1e-9)
    with safe_open(path, "pt") as file:
        shapes = {tuple(file.get_tensor(name).shape) for name in file.keys()}  # noqa: SIM118
    assert shapes == {(), (6,), (6, 6)}
    copy = path.with_name("copy.safetensors")
    save_statistics(copy, found)
    assert torch.equal(load_statistics(copy).moments.covariance, found.moments.covariance)


def write(path, tensors, **changes):
    header = {"format": 1, "names": ["0", "1"], "labels": [None, None], "classes": [], "card": {}} | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {"genaudio": json.dumps(header)})


ROWS = {"features": torch.zeros(3, 2, dtype=torch.float64), "clip": torch.tensor([0, 0, 1])}


def test_the_smallest_file_is_one(path):
    write(path, ROWS)
    assert load_statistics(path).clips == 2


@pytest.mark.parametrize(
    ("changes", "tensors", "message"),
    [
        ({"format": 2}, ROWS, "has the format 2"),
        ({"names": ["0"]}, ROWS, "as many names as labels"),
        ({"names": [], "labels": []}, ROWS, "as many names as labels"),
        ({}, {**ROWS, "features": torch.zeros(3, 2)}, "no float64 rows"),
        ({}, {**ROWS, "clip": torch.tensor([0, 1, 0])}, "clips in their order"),
        ({}, {**ROWS, "clip": torch.tensor([0, 0])}, "a clip for each row"),
        ({}, {"features": ROWS["features"]}, "damaged: KeyError"),
        ({}, {**ROWS, "log_probabilities": torch.zeros(2, 3)}, "log-probabilities"),
        ({"moments": []}, {"mean": torch.zeros(2), "covariance": torch.eye(3), "count": torch.tensor(3)}, "do not fit"),
        ({"moments": ["a"]}, {"mean": torch.zeros(2), "covariance": torch.eye(2), "count": torch.tensor(3)}, "0.mean"),
    ],
)
def test_a_file_that_is_not_what_it_says(path, changes, tensors, message):
    write(path, tensors, **changes)
    with pytest.raises(GenaudioError, match=message):
        load_statistics(path)


def test_files_that_are_no_statistics(path):
    with pytest.raises(GenaudioError, match="is not there"):
        load_statistics(path)
    path.parent.mkdir()
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(
        GenaudioError, match="cannot be read: it holds something else\n    expected  reference statistics"
    ):
        load_statistics(path)
    path.write_bytes(b"nothing")
    with pytest.raises(GenaudioError, match="cannot be read"):
        load_statistics(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding": "vggish"}, "with the embedding vggish"),
        ({"embedding_fields": {**CARD["embedding_fields"], "bands": 8}}, "with the fields bands 8"),
        ({"weights_sha256": "ab" * 32}, "with the hash of the weights abab"),
        ({"config_sha256": "cd" * 32}, "with the hash of the configuration cdcd"),
        ({"embedding_sample_rate": 16000}, "with the sample rate 16000"),
        ({"frame_hop": 0.5}, "with the hop 0.5"),
    ],
)
def test_another_embedding_is_refused_with_given_expected_and_mend(change, message):
    with pytest.raises(GenaudioError) as caught:
        check_same_embedding(CARD, CARD | change, "ref.safetensors")
    (problem,) = caught.value.problems
    assert problem.given.startswith(f"ref.safetensors was computed {message}")
    assert "as for the generated clips" in problem.expected
    assert problem.mend


def test_only_the_field_that_differs_is_named():
    other = CARD | {"embedding_fields": {**CARD["embedding_fields"], "bands": 8}}
    with pytest.raises(GenaudioError) as caught:
        check_same_embedding(CARD, other, "it")
    assert caught.value.problems[0].expected == "bands 4, as for the generated clips"


def test_the_same_weights_may_lie_elsewhere():
    ours = {"weights_sha256": "ab", "embedding_fields": {"weights": "/here.pt", "revision": None, "hop": 1.0}}
    theirs = {"weights_sha256": "ab", "embedding_fields": {"weights": "/there.pt", "revision": "v1", "hop": 1.0}}
    check_same_embedding(ours, theirs, "it")
    check_same_embedding(CARD, json.loads(json.dumps(CARD)), "it")
    theirs["embedding_fields"]["hop"] = 2.0
    with pytest.raises(GenaudioError, match=r"hop 2\.0"):
        check_same_embedding(ours, theirs, "it")
    unknown = {"weights_sha256": None, "embedding_fields": {"weights": "/there.pt"}}
    with pytest.raises(GenaudioError, match=r"weights /there\.pt"):
        check_same_embedding({"weights_sha256": None, "embedding_fields": {"weights": "/here.pt"}}, unknown, "it")
