"""Sets of clips: which files belong, their classes, their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from genaudio.core.errors import DataError
from genaudio.datasets.procedural import Procedural
from genaudio.evaluation.clip_set import ENDLESS, ClipSet

RATE = 8000


def write(path: Path, seed: int = 0, channels: int = 1, frames: int = 400) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))
    soundfile.write(path, sound, RATE, subtype="PCM_16")
    return path


def manifest(folder: Path, labels: dict[str, str | None]) -> None:
    clips = [{"file": name, "label": label} for name, label in labels.items()]
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "genaudio": "0", "clips": clips}))


def test_a_folder_gives_its_sounds_in_order_with_the_first_folder_as_class(tmp_path):
    for name in ("b/2.wav", "b/1.flac", "a/deep/3.wav", "loose.wav", ".hidden/4.wav"):
        write(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no sound")
    clips = ClipSet.of_folder(tmp_path)
    assert [clip.name for clip in clips.clips] == ["a/deep/3.wav", "b/1.flac", "b/2.wav", "loose.wav"]
    assert clips.labels == ("a", "b", "b", None)
    assert clips.classes == ("a", "b")
    assert clips.clips[0].path == tmp_path / "a" / "deep" / "3.wav"
    assert clips.select([2, 0]).labels == ("b", "a")


def test_a_run_stands_for_its_samples_whose_manifest_has_the_classes(tmp_path):
    samples = tmp_path / "samples"
    for name in ("dog_bark/0.wav", "_/1.wav", "original.wav"):
        write(samples / name)
    write(tmp_path / "previous" / "001" / "x.wav")
    manifest(samples, {"dog_bark/0.wav": "dog: bark", "_/1.wav": None})
    clips = ClipSet.of_folder(tmp_path)
    assert clips.folder == samples
    assert dict(zip((clip.name for clip in clips.clips), clips.labels, strict=True)) == {
        "dog_bark/0.wav": "dog: bark",
        "_/1.wav": None,
    }


def test_a_run_without_samples_is_not_searched_for_other_sounds(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    write(tmp_path / "previous" / "001" / "x.wav")
    with pytest.raises(DataError, match="holds no samples"):
        ClipSet.of_folder(tmp_path)


def test_a_manifest_must_be_whole_and_others_manifests_are_ignored(tmp_path):
    write(tmp_path / "a" / "0.wav")
    manifest(tmp_path, {"a/0.wav": "a", "a/1.wav": "a", "a/2.wav": "a"})
    with pytest.raises(DataError, match=r"2 of the 3 clips of .* are not there: a/1.wav, a/2.wav"):
        ClipSet.of_folder(tmp_path)
    (tmp_path / "manifest.json").write_text('{"genaudio": "0", "clips": [{"file": "a/0.wav"}]}')
    with pytest.raises(DataError, match="cannot be read"):
        ClipSet.of_folder(tmp_path)
    (tmp_path / "manifest.json").write_text('{"files": ["of another program"]}')
    assert ClipSet.of_folder(tmp_path).labels == ("a",)


@pytest.mark.parametrize(
    ("given", "message"), [("nowhere", "is not there"), ("file", "is a file"), ("empty", "no sound files in")]
)
def test_what_is_no_folder_of_sounds(tmp_path, given, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        ClipSet.of_folder(tmp_path / given)


def test_a_clip_is_read_in_mono_and_its_key_is_of_the_files_bytes(tmp_path):
    path = write(tmp_path / "stereo.wav", channels=2)
    (clip,) = ClipSet.of_folder(tmp_path).clips
    loaded = clip.load()
    samples, _ = soundfile.read(path, dtype="float32")
    assert torch.equal(loaded.waveform(RATE), torch.from_numpy(samples.mean(1, dtype=np.float32))[None])
    assert loaded.key == hashlib.sha256(path.read_bytes()).hexdigest()
    assert clip.read(RATE, channels=2).shape == (2, 400)
    assert clip.read(2 * RATE).shape == (1, 800)
    assert clip.load().sample_rate == RATE


def test_a_file_that_cannot_be_read_says_which_and_why(tmp_path):
    path = write(tmp_path / "bad.wav")
    (clip,) = ClipSet.of_folder(tmp_path).clips
    path.write_bytes(b"RIFF, but no more")
    with pytest.raises(DataError, match=r"bad.wav: unreadable"):
        clip.read(RATE)
    path.unlink()
    with pytest.raises(DataError, match=r"bad.wav: No such file"):
        _ = clip.load().key


def test_clips_of_a_dataset_are_those_a_model_is_trained_on():
    clips = Procedural(sample_rate=RATE, duration=0.1, classes=("metal", "rain")).open("train")
    found = ClipSet.of_clips(clips, 5, seed=3, source="procedural, train")
    assert found.labels == ("metal", "rain", "metal", "rain", "metal")
    assert torch.equal(found.clips[3].read(RATE), clips.clip(3, 3).waveform)
    assert found.clips[3].name == clips.clip(3, 3).identity
    assert len({clip.load().key for clip in found.clips}) == 5
    assert found.clips[1].load().key == found.clips[1].load().key
    assert ClipSet.of_clips(clips, 5, seed=3).clips[3].read(2 * RATE).shape == (1, 2 * clips.length)


def test_all_of_a_dataset_or_some_drawn_from_all_of_it(tones):
    assert len(ClipSet.of_clips(tones(48)).clips) == 48
    some = ClipSet.of_clips(tones(48), 20, seed=1)
    names = [clip.name for clip in some.clips]
    assert len(set(names)) == 20
    assert int(names[-1].split()[1]) > 30  # not the first 20
    assert names == [clip.name for clip in ClipSet.of_clips(tones(48), 20, seed=1).clips]
    assert len(ClipSet.of_clips(tones(None)).clips) == ENDLESS
    assert set(ClipSet.of_clips(tones(6, labelled=False)).labels) == {None}
    with pytest.raises(DataError, match="no clips of dataset"):
        ClipSet.of_clips(tones(6), 0)


def test_the_rate_of_samples_is_part_of_their_key(tones):
    slow, fast = tones(1), tones(1)
    fast.sample_rate = 16000
    assert ClipSet.of_clips(slow).clips[0].load().key != ClipSet.of_clips(fast).clips[0].load().key


def test_labels_are_spelled_as_other_classes_are_and_names_stay(tmp_path):
    write(tmp_path / "002 - Rain" / "0.wav")
    clips = ClipSet.of_folder(tmp_path).spelled_as(["rain"])
    assert clips.labels == ("rain",)
    assert clips.clips[0].name == "002 - Rain/0.wav"
