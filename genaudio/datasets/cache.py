"""The cache of decoded audio: float32 on disk, keyed by content, memory-mapped.

    <cache>/audio/files.json                    stat of each file at its last hashing, so that it is not hashed again
                  v1-16000Hz-1ch/<name>.f32     waveforms (channels, frames) of many files, one after the other
                                 <name>.json    for each: SHA-256 of the file's bytes, place, peak, loudness, checksum

A file is found by the hash of its bytes, so that a changed file is another one and equal files are stored once. A file
is hashed again unless size, times and inode are what they were (and, as in git's index, unless it was then younger
than the clock can tell). Shards are written beside their place and renamed, under a lock; readers take none. A shard
of the wrong size is redone when opened; every waveform's checksum is compared when it is first read, and a bad one is
decoded anew. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from genaudio.core.errors import DataError, RunError
from genaudio.core.files import atomic_file, write_text
from genaudio.datasets.audio import BadAudioError, Waveform, decode
from genaudio.datasets.loudness import loudness

VERSION = 2  # of the code that decodes and of the layout: raise it when decoded values change
_SHARD_BYTES = 2**28  # a build that is interrupted keeps what is in finished shards
_BATCH = 32  # files decoded together
_YOUNG = 2.0  # s; a file written this shortly before it was hashed may change without a new time stamp

_log = logging.getLogger("genaudio")


def default_cache() -> Path:
    """Where caches go when a caller names no folder: $GENAUDIO_CACHE, or `genaudio` in the user's cache folder.

    That is $XDG_CACHE_HOME or ~/.cache on Linux, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows.
    """
    if given := os.environ.get("GENAUDIO_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "genaudio"


@dataclass(frozen=True)
class _Place:
    """Where a decoded file lies in a shard, and what was measured of it."""

    shard: Path
    offset: int  # in samples
    frames: int
    peak: float
    loudness: float  # LUFS
    checksum: int


@dataclass
class CachedAudio:
    """One decoded file: `samples()` is its waveform (channels, frames), mapped from disk. Safe in many threads."""

    file: Path
    key: str
    frames: int
    peak: float
    loudness: float
    _mapped: NDArray[np.float32] = field(repr=False)
    _checksum: int = field(repr=False)
    _shard: Path = field(repr=False)
    _rate: int = field(repr=False)
    _checked: bool = field(default=False, repr=False)

    def samples(self) -> NDArray[np.float32]:
        """The waveform, read-only; the checksum is compared at the first call."""
        if not self._checked:
            if _checksum(self._mapped) != self._checksum:
                self._mapped = self._decoded_anew()
            self._checked = True
        return self._mapped

    def _decoded_anew(self) -> Waveform:
        _log.warning("the cache of %s is damaged; it is decoded again", self.file)
        with FileLock(self._shard.parent / ".lock"):  # the next opening stores the shard's files again
            self._shard.with_suffix(".json").unlink(missing_ok=True)
        data = self.file.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.key:
            raise DataError(
                f"{self.file} changed while the dataset was open",
                expected="the file as it was when the dataset was opened",
                mend="start again; the changed file is then read",
            )
        return decode(data, self._rate, self._mapped.shape[0])


class AudioCache:
    """Decoded audio of one rate and channel count below `folder`."""

    def __init__(self, folder: Path, sample_rate: int, channels: int) -> None:
        self.folder = folder / "audio" / f"v{VERSION}-{sample_rate}Hz-{channels}ch"
        self._rate = sample_rate
        self._channels = channels

    def open(
        self, files: Sequence[Path], progress: Callable[[int, int], None] | None = None
    ) -> list[CachedAudio | BadAudioError]:
        """Every file decoded, or why it cannot be; what is not in the cache yet is put there.

        `progress(done, total)` is called as files become ready. Raises `DataError` if the cache cannot be written.
        """
        try:
            return self._open(files, progress or (lambda done, total: None))
        except (OSError, RunError) as error:
            reason = error.problems[0].given if isinstance(error, RunError) else str(error)
            raise DataError(
                f"the cache at {self.folder} cannot be used: {reason}",
                expected="a folder that can be written, with room for the decoded audio",
                mend="free some space, or set GENAUDIO_CACHE to another folder",
            ) from error

    def _open(self, files: Sequence[Path], progress: Callable[[int, int], None]) -> list[CachedAudio | BadAudioError]:
        self.folder.mkdir(parents=True, exist_ok=True)
        found: dict[Path, str | BadAudioError] = dict(zip(files, self._hashes(files), strict=True))
        places = self._places()
        if _missing(found, places):
            with FileLock(self.folder / ".lock"):
                places = self._places(discard=True)  # what another process stored meanwhile is not done again
                missing = _missing(found, places)
                ready = len(files) - len(missing)
                found |= self._store(missing, lambda count: progress(ready + count, len(files)))
                places = self._places()
        progress(len(files), len(files))
        shards: dict[Path, NDArray[np.float32]] = {}
        return [
            found_one
            if isinstance(found_one := found[file], BadAudioError)
            else self._audio(file, found_one, places, shards)
            for file in files
        ]

    def _audio(
        self, file: Path, key: str, places: dict[str, _Place], shards: dict[Path, NDArray[np.float32]]
    ) -> CachedAudio:
        place = places[key]
        if place.shard not in shards:
            shards[place.shard] = np.memmap(place.shard, dtype="<f4", mode="r")
        size = self._channels * place.frames
        mapped = shards[place.shard][place.offset : place.offset + size].reshape(self._channels, place.frames)
        return CachedAudio(
            file, key, place.frames, place.peak, place.loudness, mapped, place.checksum, place.shard, self._rate
        )

    def _places(self, discard: bool = False) -> dict[str, _Place]:
        """All stored files by key. A shard that is not what its index says is skipped, and deleted with `discard`."""
        places: dict[str, _Place] = {}
        whole: set[Path] = set()
        for index in sorted(self.folder.glob("*.json")):
            shard = index.with_suffix(".f32")
            try:
                content = json.loads(index.read_text(encoding="utf-8"))
                if shard.stat().st_size != content["bytes"]:
                    raise ValueError(f"{shard.stat().st_size} bytes instead of {content['bytes']}")
                if zlib.crc32(json.dumps(content["files"]).encode()) != content["checksum"]:
                    raise ValueError("its index was changed")
                places |= {
                    key: _Place(shard, offset, frames, peak, -math.inf if lufs is None else lufs, checksum)
                    for key, (offset, frames, peak, lufs, checksum) in content["files"].items()
                }
                whole.add(shard)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                if discard:
                    _log.warning("the cache %s is damaged (%s); its files are decoded again", shard, error)
                    index.unlink(missing_ok=True)
        if discard:  # under the lock nobody else writes: what has no index is of a build that was killed
            for left in (*self.folder.glob("*.f32"), *self.folder.glob(".*.partial")):
                if left not in whole:
                    left.unlink(missing_ok=True)
        return places

    def _store(self, files: Sequence[Path], progress: Callable[[int], None]) -> dict[Path, str | BadAudioError]:
        """Decode `files` into shards; the key of each, or why it is bad."""
        found: dict[Path, str | BadAudioError] = {}
        shard = _Shard(self.folder)
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            try:
                for first in range(0, len(files), _BATCH):
                    batch = files[first : first + _BATCH]
                    for file, result in zip(batch, pool.map(self._load, batch), strict=True):
                        found[file] = result if isinstance(result, BadAudioError) else shard.add(result)
                    progress(min(first + _BATCH, len(files)))
            finally:  # also when interrupted: what is decoded is kept
                shard.write()
        return found

    def _load(self, file: Path) -> _Decoded | BadAudioError:
        """The decoded file, its key taken from the very bytes that were decoded."""
        try:
            data = file.read_bytes()
            waveform = decode(data, self._rate, self._channels)
        except OSError as error:
            return BadAudioError(f"unreadable: {error.strerror or error}")
        except BadAudioError as error:
            return error
        peak = float(np.abs(waveform).max())
        return _Decoded(hashlib.sha256(data).hexdigest(), waveform, peak, loudness(waveform, self._rate))

    def _hashes(self, files: Sequence[Path]) -> list[str | BadAudioError]:
        """SHA-256 of each file's bytes, taken from the last time where the file is certainly the same."""
        record = self.folder.parent / "files.json"
        try:
            known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        news: dict[str, Any] = {}

        def one(file: Path) -> str | BadAudioError:
            try:
                name, stat = os.path.abspath(file), file.stat()  # noqa: PTH100  (resolve() asks the disk)
                mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
                if (old := known.get(name)) and old[:-1] == mark:
                    return str(old[-1])
                with file.open("rb") as opened:
                    digest = hashlib.file_digest(opened, "sha256").hexdigest()
                if time.time() - max(stat.st_mtime, stat.st_ctime) > _YOUNG:
                    news[name] = [*mark, digest]
                return digest
            except OSError as error:
                return BadAudioError(f"unreadable: {error.strerror or error}")

        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            result = list(pool.map(one, files))
        if news:
            with FileLock(self.folder.parent / ".lock"):
                write_text(record, json.dumps(known | news))
        return result


@dataclass(frozen=True)
class _Decoded:
    key: str
    waveform: Waveform
    peak: float
    loudness: float


class _Shard:
    """Decoded files on their way to disk: one file of samples and its index, written when full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, _Decoded] = {}
        self._bytes = 0

    def add(self, decoded: _Decoded) -> str:
        if decoded.key not in self._waiting:
            self._waiting[decoded.key] = decoded
            self._bytes += decoded.waveform.nbytes
        if self._bytes >= _SHARD_BYTES:
            self.write()
        return decoded.key

    def write(self) -> None:
        if not self._waiting:
            return
        name = hashlib.sha256("".join(self._waiting).encode()).hexdigest()[:16]
        index: dict[str, list[float | int | None]] = {}
        offset = 0
        # The index comes last: a shard without one does not count.
        with atomic_file(self._folder / f"{name}.f32") as partial, partial.open("wb") as file:
            for key, item in self._waiting.items():
                data = item.waveform.astype("<f4", copy=False)
                file.write(data.tobytes())
                lufs = item.loudness if math.isfinite(item.loudness) else None
                index[key] = [offset, data.shape[1], item.peak, lufs, _checksum(data)]
                offset += data.size
        content = {"bytes": 4 * offset, "checksum": zlib.crc32(json.dumps(index).encode()), "files": index}
        write_text(self._folder / f"{name}.json", json.dumps(content))
        self._waiting, self._bytes = {}, 0


def _checksum(waveform: NDArray[np.float32]) -> int:
    return zlib.crc32(waveform.tobytes())


def _missing(found: dict[Path, str | BadAudioError], places: dict[str, _Place]) -> list[Path]:
    return [file for file, key in found.items() if isinstance(key, str) and key not in places]
