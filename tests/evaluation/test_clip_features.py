"""Features of sets of clips: exact, in order, the same with and without a cache, and never those of another clip."""

from __future__ import annotations

import importlib.metadata
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import DataError, GenaudioError
from genaudio.core.progress import Progress
from genaudio.evaluation import clip_features as module
from genaudio.evaluation import feature_settings as settings_module
from genaudio.evaluation.clip_features import clip_features, tile_size
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.feature_settings import feature_settings

RATE = 8000


class Frames(Embedding):
    """Powers of 8 sines in each 256 samples; log-probabilities from two of them; counts the clips that it computes."""

    computed: ClassVar[list[int]] = []
    sha: ClassVar[str] = "0" * 64

    gain: float = parameter(1.0, description="Factor of all features")

    @property
    def sample_rate(self) -> int:
        return RATE

    @property
    def weights_sha256(self) -> str:
        return self.sha

    @property
    def classes(self) -> tuple[str, ...]:
        return ("low", "high")

    def features(self, waveform: Tensor) -> Tensor:
        self.computed.append(len(waveform))
        if waveform.shape[-1] < 256:
            raise GenaudioError("a clip of less than a frame", expected="256 samples", mend="use longer clips")
        frames = waveform.mean(1).unfold(-1, 256, 256)
        angle = torch.arange(256)[:, None] * torch.arange(1, 9) * 0.1
        return self.gain * (frames @ torch.sin(angle)).double().square()

    def log_probabilities(self, waveform: Tensor) -> Tensor:
        return self.features(waveform).mean(1)[:, :2].log_softmax(-1)


@pytest.fixture
def embedding(monkeypatch):
    monkeypatch.setattr(Frames, "computed", [])
    return Frames()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Seven clips of two classes and of three lengths."""
    for number in range(7):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, 512 + 256 * (number % 3))
        path = tmp_path / "clips" / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound, RATE, subtype="FLOAT")
    return tmp_path / "clips"


def hear(embedding, folder, cache=None, **options):
    return clip_features(embedding, "frames", ClipSet.of_folder(folder), cache=cache, **options)


def same(one, other) -> bool:
    return (
        torch.equal(one.features, other.features)
        and torch.equal(one.clip, other.clip)
        and torch.equal(one.log_probabilities, other.log_probabilities)
        and (one.names, one.labels, one.classes, one.card) == (other.names, other.labels, other.classes, other.card)
    )


def test_rows_stand_clip_by_clip_in_the_order_of_the_set(embedding, folder):
    heard = hear(embedding, folder)
    clips = ClipSet.of_folder(folder)
    assert heard.names == tuple(clip.name for clip in clips.clips)
    assert heard.labels == clips.labels
    for number, clip in enumerate(clips.clips):
        waveform = clip.read(RATE)[None]
        assert torch.equal(heard.features[heard.clip == number], embedding.features(waveform)[0])
        assert torch.equal(heard.log_probabilities[number], embedding.log_probabilities(waveform)[0])
    assert heard.features.dtype == heard.log_probabilities.dtype == torch.float64


def test_the_card_says_how_and_of_what(embedding, folder):
    soundfile.write(folder / "a" / "silent.wav", np.zeros(16000), 16000)
    card = hear(embedding, folder).card
    assert (card["embedding"], card["embedding_fields"], card["weights_sha256"]) == ("frames", {"gain": 1.0}, "0" * 64)
    assert (card["clips"], card["silent_clips"], card["channels"]) == (8, 1, 1)
    assert card["sample_rates"] == {"8000": 7, "16000": 1}
    assert (card["seconds"]["least"], card["seconds"]["most"]) == (512 / RATE, 1.0)


def test_the_cache_changes_nothing_and_saves_everything(embedding, folder, tmp_path):
    without = hear(embedding, folder)
    first = hear(embedding, folder, tmp_path)
    embedding.computed.clear()
    second = hear(embedding, folder, tmp_path)
    assert embedding.computed == []
    assert same(without, first)
    assert same(without, second)


def test_windows_are_heard_each_by_itself_and_kept_apart_from_whole_clips(embedding, folder, tmp_path):
    seconds = 512 / RATE
    hear(embedding, folder, tmp_path)
    heard = hear(embedding, folder, tmp_path, window=seconds)
    assert heard.log_probabilities is None
    assert heard.classes == ()
    for number, clip in enumerate(ClipSet.of_folder(folder).clips):
        waveform = clip.read(RATE)
        windows = [waveform[None, :, start : start + 512] for start in range(0, waveform.shape[1] - 511, 256)]
        wanted = torch.cat([embedding.features(window).mean(1) for window in windows])
        assert torch.equal(heard.features[heard.clip == number], wanted)
    embedding.computed.clear()
    again = hear(embedding, folder, tmp_path, window=seconds)
    assert embedding.computed == []
    assert torch.equal(again.features, heard.features)
    longer = hear(embedding, folder, tmp_path, window=2 * seconds)
    assert embedding.computed
    assert len(longer.features) < len(heard.features)
    soundfile.write(folder / "a" / "0.wav", np.zeros(512), RATE)
    embedding.computed.clear()
    changed = hear(embedding, folder, tmp_path, window=seconds)
    assert embedding.computed == [1, 1]  # the window of one clip, for its features and for its log-probabilities
    assert not torch.equal(changed.features, heard.features)


def test_a_changed_file_is_another_clip(embedding, folder, tmp_path):
    before = hear(embedding, folder, tmp_path)
    path = folder / "a" / "2.wav"
    samples, _ = soundfile.read(path)
    stat = path.stat()
    soundfile.write(path, samples[::-1], RATE, subtype="FLOAT")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # of the same size and time: only its content tells
    embedding.computed.clear()
    after = hear(embedding, folder, tmp_path)
    assert sum(embedding.computed) == 2  # for the features, and for the log-probabilities of one clip
    changed = [
        n for n in range(7) if not torch.equal(before.features[before.clip == n], after.features[after.clip == n])
    ]
    assert [before.names[n] for n in changed] == ["a/2.wav"]
    assert same(after, hear(embedding, folder))


def test_a_copy_under_another_name_is_the_same_clip(embedding, folder, tmp_path):
    hear(embedding, folder, tmp_path)
    (folder / "c").mkdir()
    (folder / "a" / "0.wav").rename(folder / "c" / "renamed.wav")
    embedding.computed.clear()
    assert hear(embedding, folder, tmp_path).labels[-1] == "c"
    assert embedding.computed == []


def test_every_setting_is_part_of_the_key(embedding, folder, tmp_path, monkeypatch):
    hear(embedding, folder, tmp_path)
    doubled = hear(Frames(gain=2.0), folder, tmp_path)
    assert same(doubled, hear(Frames(gain=2.0), folder))
    for change in (
        lambda: monkeypatch.setattr(Frames, "sha", "1" * 64),
        lambda: monkeypatch.setattr(settings_module, "_version", lambda library: "another"),
        lambda: monkeypatch.setattr(settings_module, "_code", lambda cls: "another"),
    ):
        change()
        embedding.computed.clear()
        hear(embedding, folder, tmp_path)
        assert embedding.computed
    embedding.computed.clear()
    clip_features(embedding, "other", ClipSet.of_folder(folder), cache=tmp_path)
    assert embedding.computed


def test_the_device_and_the_code_are_settings(tmp_path):
    cpu, cuda = (feature_settings(Frames(), "frames", torch.device(name)) for name in ("cpu", "cuda"))
    assert {key for key in cpu if cpu[key] != cuda[key]} == {"device"}
    builtin = feature_settings(MelStatistics(), "mel_statistics", torch.device("cpu"))
    assert builtin["code"] != cpu["code"]
    assert builtin["libraries"]["torch"] == importlib.metadata.version("torch")


def test_a_damaged_row_is_computed_again(embedding, folder, tmp_path):
    first = hear(embedding, folder, tmp_path)
    (path,) = (tmp_path / "features").glob("*.sqlite")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE clips SET facts = '[8000, 1.0, 2.0]' WHERE rows = 3")
    database.close()
    embedding.computed.clear()
    assert same(first, hear(embedding, folder, tmp_path))
    assert sum(embedding.computed) == 2 * 2  # of the two clips of three frames
    embedding.computed.clear()
    assert same(first, hear(embedding, folder, tmp_path))
    assert embedding.computed == []


def test_equal_clips_are_computed_once(embedding, folder):
    for number in range(5):
        (folder / "a" / f"copy{number}.wav").write_bytes((folder / "a" / "0.wav").read_bytes())
    heard = hear(embedding, folder)
    assert sum(embedding.computed) == 2 * 7
    rows = [heard.features[heard.clip == n] for n, name in enumerate(heard.names) if name in ("a/0.wav", "a/copy3.wav")]
    assert torch.equal(*rows)


def test_neighbours_change_nothing(embedding, folder, monkeypatch):
    """Tiles of 4, of one length, filled where clips lack: the same for a clip alone and among others."""
    monkeypatch.setattr(module, "_TILES", {"cpu": 4})
    together = hear(embedding, folder)
    assert set(embedding.computed) == {4}
    clips = ClipSet.of_folder(folder)
    for number in range(7):
        alone = clip_features(embedding, "frames", clips.select([number]))
        assert torch.equal(alone.features, together.features[together.clip == number])
        assert torch.equal(alone.log_probabilities[0], together.log_probabilities[number])


def test_a_tile_depends_on_the_device_and_on_the_length_alone():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert (tile_size(cpu, 16000), tile_size(cuda, 16000)) == (1, 16)
    assert tile_size(cuda, 2**22) == 4
    assert tile_size(cuda, 2**30) == 1


def test_more_clips_than_a_window_stay_in_order(embedding, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(150):
        soundfile.write(tmp_path / "many" / f"{number:03d}.wav", np.full(256, number / 200), RATE, subtype="FLOAT")

    class Told(Progress):
        seen: ClassVar[list[float]] = []

        def start(self, title, total, done=0, unit="steps"):
            self.seen.append(total)

        def update(self, done, **facts):
            self.seen.append(done)

    for _ in range(2):
        heard = hear(embedding, tmp_path / "many", tmp_path, progress=Told())
        sizes = heard.features[:, 0].sqrt()
        assert (sizes.diff() > 0).all()
    assert Told.seen == [150, 64, 128, 150] * 2


def test_all_bad_clips_are_named_in_one_error(embedding, folder):
    for number in range(7, 14):
        (folder / "b" / f"bad{number}.wav").write_bytes(b"no sound")
    with pytest.raises(DataError) as caught:
        hear(embedding, folder)
    text = str(caught.value)
    assert "7 of 14 clips cannot be used" in text
    assert "b/bad10.wav: unreadable" in text
    assert "and 2 more" in text


def test_features_that_are_not_finite_name_their_clip_and_are_not_kept(embedding, folder, tmp_path):
    soundfile.write(folder / "a" / "huge.wav", np.full(512, 1e30), RATE, subtype="FLOAT")
    loud = Frames(gain=1e300)
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 of 8 clips cannot be used: .*a/huge.wav: its features are not finite"):
            hear(loud, folder, tmp_path)


def test_what_the_embedding_refuses_is_told_with_the_clip(embedding, folder):
    soundfile.write(folder / "a" / "short.wav", np.ones(100), RATE)
    with pytest.raises(GenaudioError) as caught:
        hear(embedding, folder)
    (problem,) = caught.value.problems
    assert (problem.path, problem.given) == (str(folder / "a" / "short.wav"), "a clip of less than a frame")
    assert problem.mend == "use longer clips"


def test_clips_of_a_dataset_are_cached_by_their_samples(embedding, tones, tmp_path):
    clips = ClipSet.of_clips(tones(6))
    first = clip_features(embedding, "frames", clips, cache=tmp_path)
    embedding.computed.clear()
    assert same(first, clip_features(embedding, "frames", clips, cache=tmp_path))
    assert embedding.computed == []
    clip_features(embedding, "frames", ClipSet.of_clips(tones(6, seed=1)), cache=tmp_path)
    assert embedding.computed


SCRIPT = """
import sys, time
from pathlib import Path
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
clips, cache = map(Path, sys.argv[1:])
embedding = MelStatistics(rate=8000, bands=4)
heard = clip_features(embedding, "mel_statistics", ClipSet.of_folder(clips), cache=cache)
print(heard.features.sum().item())
"""


def test_processes_share_a_cache(folder, tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), str(tmp_path / "cache")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [process.communicate(timeout=120) for process in running]
    assert {process.returncode for process in running} == {0}, ends
    embedding = MelStatistics(rate=8000, bands=4)
    alone = clip_features(embedding, "mel_statistics", ClipSet.of_folder(folder))
    assert {float(out) for out, _ in ends} == {alone.features.sum().item()}
    cached = clip_features(embedding, "mel_statistics", ClipSet.of_folder(folder), cache=tmp_path / "cache")
    assert torch.equal(cached.features, alone.features)
    assert len(list((tmp_path / "cache" / "features").glob("*.sqlite"))) == 1
