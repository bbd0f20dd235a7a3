"""Procedural sounds: repeatable, balanced, well-levelled, band-limited, and told apart by a trivial classifier."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from genaudio.core.errors import DataError
from genaudio.datasets.procedural import Procedural
from genaudio.datasets.synthesis import SOUNDS

ALL = tuple(SOUNDS)
IMPACTS = ("wood", "metal", "glass", "bell", "footsteps", "keyboard", "bird", "engine", "rain")


def waveforms(source: Procedural, count: int, split: str = "train") -> np.ndarray:
    clips = source.open(split)
    return np.stack([clips.clip(index, 0).waveform[0].double().numpy() for index in range(count)])


def test_clips_are_as_declared_and_classes_alternate() -> None:
    source = Procedural(sample_rate=22050, duration=0.7, channels=2)
    clips = source.open("train")
    assert (clips.sample_rate, clips.channels, clips.length, clips.size) == (22050, 2, 15435, None)
    assert clips.classes == source.classes == ("bird", "engine", "footsteps", "keyboard", "metal", "rain")
    for index in (0, 1, 5, 6, 10**12):
        clip = clips.clip(index, 0)
        assert clip.label == index % 6
        assert clip.waveform.shape == (2, 15435)
        assert clip.waveform.dtype == torch.float32
        assert torch.equal(clip.waveform[0], clip.waveform[1])


def test_a_clip_depends_on_source_seed_split_and_index_alone() -> None:
    def sound(index: int, split: str = "train", seed: int = 0, caller: int = 0) -> torch.Tensor:
        return Procedural(seed=seed).open(split).clip(index, caller).waveform

    assert torch.equal(sound(3), sound(3))
    assert torch.equal(sound(3), sound(3, caller=99))
    others = [sound(9), sound(3, "validation"), sound(3, "test"), sound(3, seed=1)]
    assert all(not torch.equal(sound(3), other) for other in others)


def test_a_sound_does_not_depend_on_which_other_classes_there_are() -> None:
    alone = Procedural(classes=("rain",)).open("train").clip(4, 0)
    among = Procedural(classes=("rain", "metal")).open("train").clip(4, 0)
    assert torch.equal(alone.waveform, among.waveform)
    assert alone.identity == among.identity == "procedural/0/train/rain/4"


def test_identities_are_unique_across_splits() -> None:
    names = [
        Procedural().open(split).clip(i, 0).identity for split in ("train", "validation", "test") for i in range(30)
    ]
    assert len(set(names)) == 90


def test_clips_are_the_same_in_another_process_and_in_threads() -> None:
    code = (
        "import hashlib\n"
        "from genaudio.datasets.procedural import Procedural\n"
        f"clips = Procedural(classes={ALL!r}).open('train')\n"
        "print(hashlib.sha256(b''.join(clips.clip(i, 0).waveform.numpy().tobytes() for i in range(20))).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    clips = Procedural(classes=ALL).open("train")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda index: clips.clip(index, 0).waveform.numpy().tobytes(), range(20)))
    assert hashlib.sha256(b"".join(made)).hexdigest() == other


@pytest.mark.parametrize(("rate", "duration"), [(8000, 1.0), (16000, 1.0), (22050, 4.0), (44100, 0.5), (16000, 0.1)])
def test_levels_are_right_and_nothing_is_out_of_band(rate: int, duration: float) -> None:
    sounds = waveforms(Procedural(classes=ALL, sample_rate=rate, duration=duration), 5 * len(ALL))
    peaks = np.abs(sounds).max(axis=1)
    assert peaks.min() >= 0.8 * 0.9 - 1e-6
    assert peaks.max() <= 0.8 * 1.1 + 1e-6
    assert np.abs(sounds.mean(axis=1)).max() < (2e-3 if duration >= 0.5 else 2e-2)

    # Hann-windowed, so that the ends of the clip do not leak upwards.
    spectra = np.abs(np.fft.rfft(sounds * np.hanning(sounds.shape[1]))) ** 2
    share = np.fft.rfftfreq(sounds.shape[1], 1 / rate) / (rate / 2)
    above = spectra[:, share > 0.96].sum(axis=1) / spectra.sum(axis=1)
    assert above.max() < 1e-9


def test_the_mean_peak_is_the_level() -> None:
    peaks = np.abs(waveforms(Procedural(level=0.4), 60)).max(axis=1)
    assert peaks.mean() == pytest.approx(0.4, rel=0.03)
    assert peaks.std() > 0.01


def test_events_begin_within_a_tenth_of_a_second_and_clips_are_audible() -> None:
    source = Procedural(classes=IMPACTS)
    sounds = waveforms(source, 12 * len(IMPACTS))
    onsets = (np.abs(sounds) > 0.1 * np.abs(sounds).max(axis=1, keepdims=True)).argmax(axis=1) / source.sample_rate
    assert onsets.max() <= 0.1
    assert 20 * np.log10(sounds.std(axis=1)).min() > -40


def test_clips_of_a_class_vary() -> None:
    for name in ALL:
        spectra = np.abs(np.fft.rfft(waveforms(Procedural(classes=(name,)), 8)))
        spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
        similar = spectra @ spectra.T - np.eye(8)
        assert similar.max() < 0.98, name


def features(sounds: np.ndarray, rate: int) -> np.ndarray:
    """Mean and spread over time of the log energies in 24 bands, relative to the clip's level."""
    size = 512
    frames = np.lib.stride_tricks.sliding_window_view(sounds, size, axis=1)[:, :: size // 2] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2  # (clip, frame, bin)
    edges = np.unique(np.geomspace(2, size // 2, 25).astype(int))
    bands = np.stack([power[..., a:b].mean(axis=-1) for a, b in itertools.pairwise(edges)], axis=-1)
    logs = np.log10(bands + 1e-6 * bands.mean(axis=(1, 2), keepdims=True))
    return np.concatenate([logs.mean(axis=1), logs.std(axis=1)], axis=1)


@pytest.mark.parametrize("classes", [None, ALL], ids=["default", "all"])
def test_a_nearest_centroid_tells_held_out_classes_apart(classes: tuple[str, ...] | None) -> None:
    source = Procedural() if classes is None else Procedural(classes=classes)
    count = len(source.classes)
    train = features(waveforms(source, 25 * count), source.sample_rate)
    test = features(waveforms(source, 20 * count, "test"), source.sample_rate)
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
    train, test = (train - mean) / spread, (test - mean) / spread
    centroids = np.stack([train[label::count].mean(axis=0) for label in range(count)])
    guesses = np.linalg.norm(test[:, None] - centroids, axis=-1).argmin(axis=1)
    accuracy = (guesses == np.arange(len(test)) % count).mean()
    assert accuracy >= 0.95


def test_an_unknown_class_is_named_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"some of bell, bird, .*wood, and not 'birds'; did you mean 'bird'"):
        Procedural(classes=("birds",))
    with pytest.raises(ValidationError, match="each class once"):
        Procedural(classes=("rain", "rain"))
    with pytest.raises(ValidationError):
        Procedural(classes=())


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(DataError, match="an index from 0 on"):
        Procedural().open("train").clip(-1, 0)
