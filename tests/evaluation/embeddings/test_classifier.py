from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.datasets.base import Clips
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.classifier import ClassifierEmbedding
from genaudio.evaluation.frechet import frechet_distance
from genaudio.evaluation.measuring import embed
from genaudio.plugins.manager import registry
from tests.evaluation.embeddings.conftest import heard_alike_alone

MakeClips = Callable[..., Clips]


@pytest.fixture(scope="module")
def folder(trained: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier")
    trained.save(path, steps=60)
    return path


def waveforms(clips: Clips, count: int) -> torch.Tensor:
    return torch.stack([clips.clip(index, 0).waveform for index in range(count)])


def test_it_says_what_the_classifier_hears(folder: Path, trained: Classifier, tones: MakeClips) -> None:
    embedding = registry().load("embedding", "classifier")(weights=str(folder))
    clips = waveforms(tones(), 5)
    features = embedding.features(clips)
    assert (features.shape, features.dtype) == ((5, 1, 160), torch.float64)
    assert torch.equal(features[:, 0], trained.features(clips).detach().double())
    assert torch.equal(embedding.log_probabilities(clips), trained.log_probabilities(clips))
    assert (embedding.sample_rate, embedding.classes) == (8000, ("low", "middle", "high"))
    assert embedding.weights_sha256 in (folder / "classifier.json").read_text()


def test_the_features_are_the_input_of_the_last_layer(folder: Path, trained: Classifier, tones: MakeClips) -> None:
    embedding, clips = ClassifierEmbedding(weights=str(folder)), waveforms(tones(), 4)
    logits = embedding.features(clips)[:, 0] @ trained.head.weight.double().T + trained.head.bias.double()
    torch.testing.assert_close(logits.log_softmax(-1), embedding.log_probabilities(clips), atol=1e-5, rtol=1e-5)


def test_a_clip_does_not_depend_on_its_batch_and_silence_is_finite(folder: Path, tones: MakeClips) -> None:
    embedding, clips = ClassifierEmbedding(weights=str(folder)), waveforms(tones(), 7)
    heard_alike_alone(embedding, clips, atol=1e-5, rtol=1e-5)
    silence = torch.zeros(2, 1, 1600)
    assert torch.isfinite(embedding.features(silence)).all()
    assert torch.isfinite(embedding.log_probabilities(silence)).all()


def test_loading_leaves_the_callers_randomness(folder: Path) -> None:
    before = torch.random.get_rng_state()
    assert ClassifierEmbedding(weights=str(folder)).sample_rate == 8000
    assert torch.equal(torch.random.get_rng_state(), before)


def test_metrics_get_features_probabilities_and_the_hash(folder: Path, tones: MakeClips) -> None:
    embedding = ClassifierEmbedding(weights=str(folder))
    heard = embed(embedding, "classifier", waveforms(tones(), 3), 8000, ["low", "middle", "high"])
    assert heard.features.shape == (3, 160)
    assert heard.log_probabilities is not None
    assert heard.classes == embedding.classes
    assert heard.card["weights_sha256"] == embedding.weights_sha256


def test_a_run_fills_the_weights_in_and_the_open_one_stays(folder: Path, tmp_path: Path) -> None:
    opened = ClassifierEmbedding()
    filled = opened.with_weights(folder)
    assert opened.weights is None
    assert filled.sample_rate == 8000
    with pytest.raises(GenaudioError, match="is not there"):
        _ = filled.with_weights(tmp_path / "other").sample_rate  # not the classifier that `filled` has in memory
    assert filled.with_weights(folder) == filled


def test_weights_may_be_named_by_a_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSIFIERS", str(folder.parent))
    assert ClassifierEmbedding(weights=f"$CLASSIFIERS/{folder.name}").classes == ("low", "middle", "high")


def test_what_is_missing_is_said_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match="without weights") as none:
        _ = ClassifierEmbedding().classes
    with pytest.raises(GenaudioError, match="is not there") as absent:
        _ = ClassifierEmbedding(weights=str(tmp_path / "no")).classes
    with pytest.raises(GenaudioError, match="holds no classifier") as empty:
        _ = ClassifierEmbedding(weights=str(tmp_path)).classes
    assert all("gen train-classifier RECIPE --out DIR" in str(one.value) for one in (none, absent, empty))


def test_a_waveform_without_channels_is_refused(folder: Path) -> None:
    with pytest.raises(GenaudioError, match=r"expected  \(batch, channels, time\)"):
        ClassifierEmbedding(weights=str(folder)).features(torch.zeros(3, 100))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("fsdd", 300), ("esc10", 150)])
def test_the_frechet_distance_orders_noise_and_missing_classes(
    name: str, steps: int, shared_data: Path, tmp_path: Path
) -> None:
    """Held-out clips lie nearer to the training clips than the same with noise, or than those of two classes."""
    from genaudio.evaluation.classifier_training import train_classifier

    fields = {"test_takes": (40, 41, 42, 43, 44)} if name == "fsdd" else {"test_fold": None}
    dataset = registry().load("dataset", name)(root=str(shared_data / name), normalize="peak", **fields)
    train, unseen = dataset.open("train"), dataset.open("validation")
    train_classifier(train, steps=steps).save(tmp_path)
    embedding = ClassifierEmbedding(weights=str(tmp_path))

    def features(clips: torch.Tensor) -> torch.Tensor:
        return torch.cat([embedding.features(part)[:, 0] for part in clips.split(32)])

    reference = features(_spread(train, min(train.size, 400)))
    clean = waveforms(unseen, unseen.size)
    labels = torch.tensor([unseen.clip(index, 0).label for index in range(unseen.size)])
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    level = clean.square().mean((1, 2), keepdim=True).sqrt()
    noisy, alone = clean + 0.1 * level * noise, level * noise
    distances = [frechet_distance(features(clips), reference) for clips in (clean, noisy, alone)]
    assert distances == sorted(distances)
    # as many clips of two classes as of all: the distance falls with the count
    two = features(clean[labels < 2])
    spread = features(clean[torch.linspace(0, len(clean) - 1, len(two)).long()])
    assert frechet_distance(spread, reference) < frechet_distance(two, reference)


def _spread(clips: Clips, count: int) -> torch.Tensor:
    """Clips evenly from the whole of a source that is sorted by class."""
    numbers = torch.linspace(0, clips.size - 1, count).long().tolist()
    return torch.stack([clips.clip(index, 0).waveform for index in numbers])


def test_what_the_card_says_of_the_network_is_hashed_and_its_other_facts_are_not(
    tmp_path: Path, trained: Classifier
) -> None:
    def of(**changes: object) -> ClassifierEmbedding:
        trained.save(tmp_path, steps=60)
        card = tmp_path / "classifier.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | changes))
        return ClassifierEmbedding(weights=str(tmp_path))

    assert of().config_sha256 == of(facts={"seconds": 3}).config_sha256
    other = of(hop=0.02)
    assert other.config_sha256 != of().config_sha256
    assert other.weights_sha256 == of().weights_sha256


def test_features_and_log_probabilities_come_from_one_run_of_the_network(folder: Path, tones: MakeClips) -> None:
    embedding, clips = ClassifierEmbedding(weights=str(folder)), waveforms(tones(), 70)
    runs: list[int] = []
    embedding._classifier.trunk.register_forward_hook(lambda *_: runs.append(1))
    features, log_probabilities = embedding.listen(clips)
    assert len(runs) == 2  # batches of 64
    assert torch.equal(features, embedding.features(clips))
    assert torch.equal(log_probabilities, embedding.log_probabilities(clips))
    runs.clear()
    heard = embed(embedding, "classifier", clips[:3], 8000)
    found = clip_features(embedding, "classifier", ClipSet.of_waveforms(clips[:3], 8000, [None] * 3))
    assert len(runs) == 1 + 3
    torch.testing.assert_close(heard.features, found.features, atol=1e-5, rtol=1e-5)
    assert heard.log_probabilities is not None
    assert heard.log_probabilities.shape == (3, 3)


def test_features_may_be_trained_on(folder: Path, tones: MakeClips) -> None:
    features = ClassifierEmbedding(weights=str(folder)).features(waveforms(tones(), 2))
    weight = torch.ones(160, dtype=torch.float64, requires_grad=True)
    (features * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, features.sum((0, 1)))
