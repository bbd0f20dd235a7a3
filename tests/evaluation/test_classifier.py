from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.datasets.base import Clips
from genaudio.evaluation.classifier import Classifier, accuracy, agreement
from genaudio.evaluation.classifier_training import train_classifier

MakeClips = Callable[..., Clips]


def waveforms(clips: Clips, count: int) -> torch.Tensor:
    return torch.stack([clips.clip(index, 0).waveform for index in range(count)])


def test_it_tells_unseen_clips_apart_also_in_noise(trained: Classifier, tones: MakeClips) -> None:
    unseen = tones(seed=1)
    assert accuracy(trained, unseen) > 0.95
    clips = waveforms(unseen, 48)
    noise = torch.randn(clips.shape, generator=torch.Generator().manual_seed(0))
    noisy = clips + noise * clips.square().mean((1, 2), keepdim=True).sqrt() * 10 ** (-20 / 20)
    wanted = torch.arange(48) % 3
    assert float((trained.predict(noisy).argmax(-1) == wanted).double().mean()) > 0.9


def test_probabilities_are_float64_and_sum_to_one(trained: Classifier, tones: MakeClips) -> None:
    clips = waveforms(tones(), 5)
    probabilities = trained.predict(clips)
    assert probabilities.shape == (5, 3)
    assert probabilities.dtype == torch.float64
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(5, dtype=torch.float64), atol=1e-12, rtol=0)
    assert torch.isfinite(trained.log_probabilities(clips)).all()


def test_saturated_logits_keep_finite_logarithms(tones: MakeClips) -> None:
    classifier = Classifier(("a", "b"), 8000)
    with torch.no_grad():
        classifier.head.weight.zero_()
        classifier.head.bias.copy_(torch.tensor([0.0, 300.0]))
    logarithms = classifier.log_probabilities(waveforms(tones(), 2))
    torch.testing.assert_close(logarithms[:, 0], torch.full((2,), -300.0, dtype=torch.float64))


@pytest.mark.parametrize("gain", [0.25, 0.5, 2.0])
def test_gain_changes_nothing(trained: Classifier, tones: MakeClips, gain: float) -> None:
    clips = waveforms(tones(), 6)
    torch.testing.assert_close(trained.features(gain * clips), trained.features(clips), atol=2e-3, rtol=1e-3)


def test_channels_are_averaged_in_power(trained: Classifier, tones: MakeClips) -> None:
    mono = waveforms(tones(), 3)
    opposite = torch.cat((mono, -mono), 1)
    torch.testing.assert_close(trained.predict(opposite), trained.predict(mono), atol=1e-4, rtol=1e-4)


def test_an_item_does_not_depend_on_its_neighbours(trained: Classifier, tones: MakeClips) -> None:
    clips = waveforms(tones(), 70)  # more than one inner batch
    alone = torch.cat([trained.predict(clip[None]) for clip in clips[60:70]])
    torch.testing.assert_close(trained.predict(clips)[60:70], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 50, 8000])
def test_any_length_and_silence_are_heard(trained: Classifier, length: int) -> None:
    assert torch.isfinite(trained.predict(torch.zeros(2, 1, length))).all()
    assert trained.features(torch.zeros(2, 1, length)).shape == (2, 160)


def test_no_clips_have_no_probabilities(trained: Classifier) -> None:
    assert trained.predict(torch.zeros(0, 1, 100)).shape == (0, 3)


def test_the_head_reads_the_features(trained: Classifier, tones: MakeClips) -> None:
    clips = waveforms(tones(), 4)
    with torch.inference_mode():
        expected = trained.head(trained.features(clips)).double().softmax(-1)
    torch.testing.assert_close(trained.predict(clips), expected)


def test_it_has_about_a_hundred_thousand_parameters() -> None:
    count = sum(value.numel() for value in Classifier(tuple("0123456789"), 8000).parameters())
    assert 90_000 < count < 110_000


def test_the_same_seed_gives_the_same_weights_and_the_callers_randomness_stays(tones: MakeClips) -> None:
    before = torch.random.get_rng_state()
    first = train_classifier(tones(), steps=3, batch_size=4, seed=7).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(5)
    second = train_classifier(tones(), steps=3, batch_size=4, seed=7).state_dict()
    other = train_classifier(tones(), steps=3, batch_size=4, seed=8).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_progress_counts_every_step_and_endless_sources_will_do(tones: MakeClips) -> None:
    told: list[tuple[int, int]] = []
    train_classifier(tones(size=None), steps=3, batch_size=4, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_agreement_takes_the_first_clips_and_counts_the_classes(trained: Classifier, tones: MakeClips) -> None:
    result = agreement(trained, tones(size=None, seed=2), count=31)
    assert result.confusion.sum(1).tolist() == [11, 10, 10]
    assert agreement(trained, tones(size=4), count=100).overall.total == 4
    assert agreement(trained, tones(size=9), count=5).overall.total == 5


def test_a_saved_classifier_is_the_same(trained: Classifier, tones: MakeClips, tmp_path: Path) -> None:
    trained.save(tmp_path, steps=40)
    loaded = Classifier.load(tmp_path)
    clips = waveforms(tones(), 4)
    assert torch.equal(loaded.predict(clips), trained.predict(clips))
    assert (loaded.classes, loaded.sample_rate) == (trained.classes, trained.sample_rate)
    card = json.loads((tmp_path / "classifier.json").read_text())
    assert card["facts"] == {"steps": 40}
    assert card["parameters"] == sum(value.numel() for value in trained.parameters())


def test_damaged_files_are_refused_by_name(trained: Classifier, tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match=r"classifier\.json cannot be read"):
        Classifier.load(tmp_path)
    trained.save(tmp_path)
    weights = tmp_path / "classifier.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(GenaudioError, match="SHA-256"):
        Classifier.load(tmp_path)
    weights.unlink()
    with pytest.raises(GenaudioError, match="cannot be read"):
        Classifier.load(tmp_path)


def test_clips_without_labels_or_of_other_classes_are_refused(trained: Classifier, tones: MakeClips) -> None:
    with pytest.raises(GenaudioError, match=r"clip tone \d+ has no label"):
        train_classifier(tones(labelled=False), steps=1)
    with pytest.raises(GenaudioError, match="at least two classes"):
        Classifier(("only",), 8000)
    other = tones()
    other.classes = ("a", "b", "c")
    with pytest.raises(GenaudioError, match="low, middle, high"):
        agreement(trained, other)
    slower = tones()
    slower.sample_rate = 4000
    with pytest.raises(GenaudioError, match="8000 Hz"):
        agreement(trained, slower)


def test_noise_is_heard_and_clips_that_are_left_out_do_not_count(trained: Classifier, tones: MakeClips) -> None:
    clips = tones(size=24, seed=3)
    clean, loud = agreement(trained, clips), agreement(trained, clips, snr=-40.0)
    assert loud.overall.successes < clean.overall.successes
    assert (agreement(trained, clips, snr=-40.0).confusion == loud.confusion).all()
    assert agreement(trained, clips, leave_out={"tone 0", "tone 5"}).overall.total == 22


def test_long_clips_have_half_of_the_frames_also_once_loaded(tones: MakeClips, tmp_path: Path) -> None:
    long = tones()
    long.length = 20000  # at 8 kHz
    assert train_classifier(tones(), steps=1, batch_size=2).hop == 0.010
    classifier = train_classifier(long, steps=1, batch_size=2)
    classifier.save(tmp_path)
    assert classifier.levels(torch.zeros(1, 1, 20000)).shape == (1, 64, 126)
    assert Classifier.load(tmp_path).hop == classifier.hop == 0.020


def test_a_card_of_another_format_is_refused(trained: Classifier, tmp_path: Path) -> None:
    trained.save(tmp_path)
    path = tmp_path / "classifier.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    with pytest.raises(GenaudioError, match="has the format 1"):
        Classifier.load(tmp_path)


@pytest.mark.slow
def test_it_reaches_99_percent_on_unseen_takes_of_spoken_digits_and_90_at_20_db(shared_data: Path) -> None:
    from genaudio.datasets.fsdd import FSDD

    dataset = FSDD(root=str(shared_data / "fsdd"))
    classifier = train_classifier(dataset.open("train"))
    unseen = dataset.open("validation")
    assert accuracy(classifier, unseen) >= 0.99
    assert agreement(classifier, unseen, snr=20.0).overall.value >= 0.9
