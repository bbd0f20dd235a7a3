"""The cache: nothing decoded twice, nothing stale, nothing broken by damage or by two at once."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.core.errors import DataError
from genaudio.datasets import cache as module
from genaudio.datasets.audio import BadAudioError, decode
from genaudio.datasets.cache import AudioCache, CachedAudio, default_cache

Write = Callable[..., Path]


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of every file that was decoded."""
    seen: list[int] = []

    def counted(data: bytes, rate: int, channels: int) -> np.ndarray:
        seen.append(len(data))
        return decode(data, rate, channels)

    monkeypatch.setattr(module, "decode", counted)
    return seen


@pytest.fixture
def files(write: Write) -> list[Path]:
    return [write(f"{i}.wav", seconds=0.1 + 0.05 * i, frequency=300 + 100 * i) for i in range(5)]


def waveforms(found: list[CachedAudio | BadAudioError]) -> list[np.ndarray]:
    return [one.samples() for one in found if isinstance(one, CachedAudio)]


def shards(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.f32"))


def test_a_second_opening_decodes_nothing_and_gives_the_same(
    cache: Path, files: list[Path], decodings: list[int]
) -> None:
    first = AudioCache(cache, 8000, 2).open(files)
    assert len(decodings) == 5
    second = AudioCache(cache, 8000, 2).open(files)
    assert len(decodings) == 5
    for file, one, two in zip(files, waveforms(first), waveforms(second), strict=True):
        np.testing.assert_array_equal(one, decode(file.read_bytes(), 8000, 2))
        np.testing.assert_array_equal(one, two)
        assert not two.flags.writeable
    assert [one.frames for one in second if isinstance(one, CachedAudio)] == [w.shape[1] for w in waveforms(second)]
    assert len(shards(cache)) == 1


def test_only_new_files_are_decoded(cache: Path, files: list[Path], decodings: list[int]) -> None:
    AudioCache(cache, 16000, 1).open(files[:3])
    AudioCache(cache, 16000, 1).open(files)
    assert len(decodings) == 5
    AudioCache(cache, 16000, 1).open(files[::-1])
    assert len(decodings) == 5


def test_other_settings_are_another_cache(cache: Path, files: list[Path], decodings: list[int]) -> None:
    for rate, channels in ((16000, 1), (8000, 1), (16000, 2), (16000, 1)):
        found = waveforms(AudioCache(cache, rate, channels).open(files))
        assert found[0].shape == (channels, round(0.1 * rate))
    assert len(decodings) == 15


def test_changed_content_is_decoded_anew_even_with_the_same_size_and_time(
    cache: Path, write: Write, decodings: list[int]
) -> None:
    file = write("a.wav", frequency=300)
    os.utime(file, ns=(10**18, 10**18))  # old enough for its hash to be remembered by its times
    AudioCache(cache, 16000, 1).open([file])
    before = file.stat()
    write("a.wav", frequency=500)
    os.utime(file, ns=(10**18, 10**18))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    (found,) = waveforms(AudioCache(cache, 16000, 1).open([file]))
    np.testing.assert_array_equal(found, decode(file.read_bytes(), 16000, 1))
    assert len(decodings) == 2


def test_hashes_are_remembered_for_files_that_are_certainly_the_same(
    cache: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    AudioCache(cache, 16000, 1).open(files)
    assert not (cache / "audio" / "files.json").exists()  # too young to be sure
    monkeypatch.setattr(module, "_YOUNG", -1.0)
    AudioCache(cache, 16000, 1).open(files)
    record = json.loads((cache / "audio" / "files.json").read_text())
    assert set(record) == {str(file) for file in files}

    def refuse(*_: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(module.hashlib, "file_digest", refuse)
    AudioCache(cache, 16000, 1).open(files)
    (cache / "audio" / "files.json").write_text("{damaged")
    with pytest.raises(AssertionError, match="hashed again"):
        AudioCache(cache, 16000, 1).open(files)


def test_equal_files_are_stored_once(cache: Path, write: Write) -> None:
    one, two = write("one.wav"), write("two.wav")
    found = AudioCache(cache, 16000, 1).open([one, two])
    assert shards(cache)[0].stat().st_size == 4 * 8000
    assert [one.file.name for one in found if isinstance(one, CachedAudio)] == ["one.wav", "two.wav"]


def test_bad_files_are_told_and_the_others_kept(cache: Path, files: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "data" / "bad.wav"
    bad.write_bytes(b"no audio")
    found = AudioCache(cache, 16000, 1).open([files[0], bad, tmp_path / "absent.wav", files[1]])
    assert [type(one) for one in found] == [CachedAudio, BadAudioError, BadAudioError, CachedAudio]
    assert "unreadable" in str(found[1])
    assert "No such file" in str(found[2])


@pytest.mark.parametrize(
    "harm",
    [
        lambda shard: shard.write_bytes(shard.read_bytes()[:-100]),
        lambda shard: shard.unlink(),
        lambda shard: shard.with_suffix(".json").write_text('{"bytes": 1'),
        lambda shard: shard.with_suffix(".json").write_text("[]"),
        lambda shard: shard.with_suffix(".json").write_text(
            shard.with_suffix(".json").read_text().replace("[0, 1600,", "[9, 1600,")
        ),
        lambda shard: shard.with_suffix(".json").unlink(),
    ],
    ids=["truncated", "lost", "index truncated", "index of another kind", "index changed", "index lost"],
)
def test_a_damaged_shard_is_noticed_and_redone(
    harm: Callable[[Path], None], cache: Path, files: list[Path], decodings: list[int]
) -> None:
    AudioCache(cache, 16000, 1).open(files)
    harm(shards(cache)[0])
    found = waveforms(AudioCache(cache, 16000, 1).open(files))
    assert len(decodings) == 10
    for file, one in zip(files, found, strict=True):
        np.testing.assert_array_equal(one, decode(file.read_bytes(), 16000, 1))
    AudioCache(cache, 16000, 1).open(files)
    assert len(decodings) == 10


def test_a_flipped_byte_is_noticed_when_read_and_redone(
    cache: Path, files: list[Path], decodings: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    AudioCache(cache, 16000, 1).open(files)
    (shard,) = shards(cache)
    content = bytearray(shard.read_bytes())
    content[10] ^= 0x40
    shard.write_bytes(content)
    found = AudioCache(cache, 16000, 1).open(files)
    assert len(decodings) == 5
    with caplog.at_level(logging.WARNING, "genaudio"):
        for file, one in zip(files, waveforms(found), strict=True):
            np.testing.assert_array_equal(one, decode(file.read_bytes(), 16000, 1))
    assert "0.wav is damaged; it is decoded again" in caplog.text
    assert len(decodings) == 6
    again = AudioCache(cache, 16000, 1).open(files)  # the shard was dropped, and is stored afresh
    assert len(decodings) == 11
    np.testing.assert_array_equal(waveforms(again)[0], decode(files[0].read_bytes(), 16000, 1))


def test_damage_whose_source_changed_is_an_error(cache: Path, files: list[Path], write: Write) -> None:
    AudioCache(cache, 16000, 1).open(files)
    (shard,) = shards(cache)
    shard.write_bytes(bytes(shard.stat().st_size))
    (one,) = AudioCache(cache, 16000, 1).open(files[:1])
    write("0.wav", frequency=900)
    assert isinstance(one, CachedAudio)
    with pytest.raises(DataError, match="changed while the dataset was open"):
        one.samples()


def test_an_interrupted_build_keeps_what_is_done_and_leaves_nothing_half(
    cache: Path, files: list[Path], decodings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AudioCache(cache, 16000, 1).open(files, stop)
    assert not list(cache.rglob("*.partial"))
    AudioCache(cache, 16000, 1).open(files)
    assert len(decodings) == 5


def test_what_a_killed_build_left_is_cleared(cache: Path, files: list[Path]) -> None:
    store = AudioCache(cache, 16000, 1)
    store.folder.mkdir(parents=True)
    left = [store.folder / "0123.f32", store.folder / ".4567.f32.99.partial"]
    for path in left:
        path.write_bytes(b"half")
    store.open(files)
    assert not any(path.exists() for path in left)
    assert len(shards(cache)) == 1


def test_full_shards_are_written_before_the_end(
    cache: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHARD_BYTES", 4 * 4000)
    found = waveforms(AudioCache(cache, 16000, 1).open(files))
    assert len(shards(cache)) > 1
    for file, one in zip(files, found, strict=True):
        np.testing.assert_array_equal(one, decode(file.read_bytes(), 16000, 1))


def test_threads_at_once_decode_each_file_once(cache: Path, files: list[Path], decodings: list[int]) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: waveforms(AudioCache(cache, 16000, 1).open(files)), range(4)))
    assert len(decodings) == 5
    for result in results:
        for one, other in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_processes_at_once_build_one_cache(cache: Path, files: list[Path]) -> None:
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from genaudio.datasets.cache import AudioCache\n"
        "found = AudioCache(Path(sys.argv[1]), 8000, 1).open([Path(p) for p in sys.argv[2:]])\n"
        "print(hashlib.sha256(b''.join(one.samples().tobytes() for one in found)).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(cache), *map(str, files)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert len(shards(cache)) == 1


def test_progress_counts_to_the_total(cache: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    calls: list[tuple[int, int]] = []
    AudioCache(cache, 16000, 1).open(files[:2])
    AudioCache(cache, 16000, 1).open(files, lambda done, total: calls.append((done, total)))
    assert calls == [(4, 5), (5, 5), (5, 5)]


def test_a_folder_that_cannot_be_written_is_an_error_with_a_mend(tmp_path: Path, files: list[Path]) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"(?s)cannot be used: .*set GENAUDIO_CACHE to another folder"):
        AudioCache(blocked, 16000, 1).open(files)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "here"))
    assert default_cache() == tmp_path / "here"
    monkeypatch.delenv("GENAUDIO_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "genaudio"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "genaudio"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_cache() == Path.home() / "Library" / "Caches" / "genaudio"


def test_float_files_keep_what_exceeds_full_scale(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "loud.wav"
    soundfile.write(file, np.tile([1.5, 1.5, -1.5, -1.5], 2000), 16000, subtype="FLOAT")
    (one,) = AudioCache(cache, 16000, 1).open([file])
    assert isinstance(one, CachedAudio)
    assert one.peak == 1.5
    assert one.loudness > 0
