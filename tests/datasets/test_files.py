"""What all file datasets share: length, crop, pad, level, identity, and the account of files that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError

from genaudio.core.errors import DataError
from genaudio.datasets.base import Clips
from genaudio.datasets.folder import Folder
from genaudio.datasets.loudness import loudness

Write = Callable[..., Path]


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """A folder with one file whose samples tell their own position."""
    root = tmp_path / "data"
    root.mkdir()
    soundfile.write(root / "ramp.wav", np.arange(1, 10001) / 10001, 10000, subtype="FLOAT")
    return root


def opened(root: Path, cache: Path, **fields: object) -> Clips:
    """All files below `root` as the training split."""
    settings = {"sample_rate": 10000, "duration": 0.1, "validation_share": 0.0, "test_share": 0.0} | fields
    return Folder(root=str(root), **settings).open("train", cache=cache)


def start(clips: Clips, index: int = 0, seed: int = 0) -> int:
    """Where in the ramp the clip begins; checks that it goes on from there."""
    clip = clips.clip(index, seed).waveform[0].numpy()
    first = round(clip[0] * 10001) - 1
    np.testing.assert_allclose(clip, np.arange(first + 1, first + 1 + len(clip)) / 10001, rtol=1e-6)
    return first


def test_crops_are_where_they_are_asked_for(ramp: Path, cache: Path) -> None:
    assert start(opened(ramp, cache, crop="start")) == 0
    assert start(opened(ramp, cache, crop="center")) == 4500
    clips = opened(ramp, cache)
    places = [start(clips, seed=seed) for seed in range(300)]
    assert min(places) < 300
    assert max(places) > 8700
    assert max(places) <= 9000
    assert len(set(places)) > 250
    assert places == [start(clips, seed=seed) for seed in range(300)]


def test_a_crop_is_a_function_of_seed_and_index_in_every_process(write: Write, tmp_path: Path, cache: Path) -> None:
    for name in "abc":
        write(f"{name}.wav", seconds=1, rate=10000, frequency=10 * ord(name))
    clips = opened(tmp_path / "data", cache)
    with ThreadPoolExecutor(4) as pool:
        here = list(pool.map(lambda n: clips.clip(n % 3, n // 3).waveform.numpy().tobytes(), range(60)))
    code = (
        "import sys, hashlib; from pathlib import Path; from genaudio.datasets.folder import Folder\n"
        "source = Folder(root=sys.argv[1], sample_rate=10000, duration=0.1, validation_share=0.0, test_share=0.0)\n"
        "clips = source.open('train', cache=Path(sys.argv[2]))\n"
        "sys.stdout.buffer.write(b''.join(clips.clip(n % 3, n // 3).waveform.numpy().tobytes() for n in range(60)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data"), str(cache)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"".join(here)


@pytest.mark.parametrize(("pad", "before"), [("end", 0), ("center", 2500)])
def test_short_files_are_padded_with_silence(ramp: Path, cache: Path, pad: str, before: int) -> None:
    clip = opened(ramp, cache, duration=1.5, pad=pad).clip(0, 0).waveform[0]
    assert clip.shape == (15000,)
    inside = torch.zeros(15000, dtype=torch.bool)
    inside[before : before + 10000] = True
    assert (clip[inside] != 0).all()
    assert (clip[~inside] == 0).all()


def test_clips_are_as_declared_whatever_comes_in(write: Write, tmp_path: Path, cache: Path) -> None:
    write("a/mono.wav", rate=8000)
    write("a/stereo.flac", rate=44100, channels=2)
    write("b/long.ogg", seconds=3, rate=22050)
    write("b/deep/mp3.mp3", rate=48000, channels=2)
    clips = opened(tmp_path / "data", cache, sample_rate=16000, duration=0.7, channels=2)
    assert (clips.sample_rate, clips.channels, clips.length, clips.size) == (16000, 2, 11200, 4)
    assert clips.classes == ("a", "b")
    found = [clips.clip(index, 5) for index in range(4)]
    assert [(clip.identity, clip.label) for clip in found] == [
        ("a/mono.wav", 0),
        ("a/stereo.flac", 0),
        ("b/deep/mp3.mp3", 1),
        ("b/long.ogg", 1),
    ]
    for clip in found:
        assert clip.waveform.shape == (2, 11200)
        assert clip.waveform.dtype == torch.float32
        assert clip.waveform.abs().max() == pytest.approx(0.5, abs=0.06)  # MP3 and Vorbis overshoot
        assert clip.waveform.is_contiguous()


def test_a_clip_may_be_written_to_without_harm_to_the_cache(ramp: Path, cache: Path) -> None:
    clips = opened(ramp, cache, crop="start")
    clips.clip(0, 0).waveform.zero_()
    assert start(clips) == 0


def test_peak_normalisation_is_of_the_whole_file(ramp: Path, cache: Path) -> None:
    clips = opened(ramp, cache, crop="start", normalize="peak", peak_level=-6.0)
    # The last sample, 10000 / 10001, comes to -6 dBFS; the crop is far below it.
    assert clips.clip(0, 0).waveform[0, -1].item() == pytest.approx(10 ** (-6 / 20) * 1000 / 10000, rel=1e-5)


def test_loudness_normalisation_reaches_its_level_or_the_ceiling(write: Write, tmp_path: Path, cache: Path) -> None:
    write("quiet.wav", seconds=1, rate=10000, amplitude=0.05)
    write("loud.wav", seconds=1, rate=10000, amplitude=0.9)
    clips = opened(tmp_path / "data", cache, duration=1.0, normalize="loudness", loudness_level=-25.0)
    for index in range(2):
        assert loudness(clips.clip(index, 0).waveform.numpy(), 10000) == pytest.approx(-25.0, abs=0.1)
    clips = opened(tmp_path / "data", cache, duration=1.0, normalize="loudness", loudness_level=0.0, peak_level=-3.0)
    for index in range(2):
        assert clips.clip(index, 0).waveform.abs().max().item() == pytest.approx(10 ** (-3 / 20), rel=1e-3)


def test_what_exceeds_full_scale_is_scaled_not_clipped(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    samples = np.linspace(-2, 2, 1000)
    soundfile.write(root / "loud.wav", samples, 10000, subtype="FLOAT")
    np.testing.assert_allclose(opened(root, cache).clip(0, 0).waveform[0].numpy(), samples / 2, rtol=1e-6)


@pytest.fixture
def damaged(write: Write, tmp_path: Path) -> Path:
    """Ten good files and four that cannot be used."""
    root = tmp_path / "data"
    for index in range(10):
        write(f"good{index}.wav", rate=10000, frequency=200 + 20 * index)
    write("empty.wav", seconds=0, rate=10000)
    write("silent.wav", rate=10000, amplitude=0.0)
    write("faint.wav", rate=10000, amplitude=0.0005)
    (root / "text.wav").write_text("not audio")
    return root


def test_bad_files_are_named_counted_and_not_replaced(damaged: Path, cache: Path) -> None:
    clips = opened(damaged, cache, max_rejected=0.5)
    assert clips.size == 10
    assert [clips.clip(index, 0).identity for index in range(10)] == [f"good{index}.wav" for index in range(10)]
    reasons = {one.identity: one.reason for one in clips.rejected}
    assert set(reasons) == {"empty.wav", "faint.wav", "silent.wav", "text.wav"}
    assert reasons["empty.wav"] == "empty: it holds no frames"
    assert reasons["silent.wav"] == "silent: its peak is no sound at all"
    assert reasons["faint.wav"].startswith("silent: its peak is -65.7 dBFS")
    assert reasons["text.wav"].startswith("unreadable")
    again = opened(damaged, cache, max_rejected=0.5)  # from the cache
    assert again.rejected == clips.rejected
    assert len(opened(damaged, cache, max_rejected=0.5, silence=-70.0).rejected) == 3


def test_too_many_bad_files_are_an_error_that_names_them(damaged: Path, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(damaged, cache, max_rejected=0.2)
    text = str(caught.value)
    assert "4 of 14 files below" in text
    assert "empty.wav (empty: it holds no frames); faint.wav (silent" in text
    assert "at most 0.2 of the files (`max_rejected`)" in text
    assert "raise `max_rejected`" in text
    assert opened(damaged, cache, max_rejected=4 / 14).size == 10


def test_a_long_list_of_bad_files_is_cut(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for index in range(9):
        (root / f"{index}.wav").write_text("not audio")
    with pytest.raises(DataError, match=r"9 of 9 files .*4\.wav \(unreadable.*\); and 4 more"):
        opened(root, cache, max_rejected=1.0)  # none is usable, whatever the share


def test_a_channel_count_that_cannot_be_matched_is_told(write: Write, tmp_path: Path, cache: Path) -> None:
    write("stereo.wav", rate=10000, channels=2)
    with pytest.raises(DataError, match="it has 2 channels, and 3 are asked for"):
        opened(tmp_path / "data", cache, channels=3)


def test_a_missing_root_says_where_to_get_the_data(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(tmp_path / "nowhere", cache)
    text = str(caught.value)
    assert "no folder" in text
    assert "your own wav, flac, ogg or mp3 files" in text
    assert "`root`" in text


def test_root_is_expanded(write: Write, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.wav", rate=10000)
    monkeypatch.setenv("GENAUDIO_TEST_DATA", str(tmp_path))
    assert opened(Path("$GENAUDIO_TEST_DATA/data"), cache).size == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    assert opened(Path("~/data"), cache).size == 1
    monkeypatch.chdir(tmp_path)
    assert opened(Path("data"), cache).size == 1


def test_an_index_out_of_range_is_refused(ramp: Path, cache: Path) -> None:
    clips = opened(ramp, cache)
    for index in (-1, 1):
        with pytest.raises(DataError, match="expected  0 to 0"):
            clips.clip(index, 0)


def test_without_a_folder_the_default_cache_is_used(
    ramp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "mine"))
    Folder(root=str(ramp), validation_share=0.0, test_share=0.0).open("train")
    assert list((tmp_path / "mine").rglob("*.f32"))


@pytest.mark.parametrize(
    "fields", [{"crop": "middle"}, {"normalize": "rms"}, {"max_rejected": 1.5}, {"peak_level": 3.0}, {"root": ""}]
)
def test_fields_are_checked(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Folder(**({"root": "data"} | fields))


def test_data_of_a_recipe_may_lie_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds/a.wav", np.full(8000, 0.5), 8000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GENAUDIO_DATA", raising=False)
    source = Folder(root="data/sounds", sample_rate=8000)
    with pytest.raises(DataError, match=r"no folder 'data/sounds'.*\n.*\n.*\$GENAUDIO_DATA"):
        source.open("train")
    monkeypatch.setenv("GENAUDIO_DATA", str(tmp_path))
    assert source.folder == tmp_path / "sounds"
    (tmp_path / "data/sounds").mkdir(parents=True)
    assert source.folder == Path("data/sounds")
