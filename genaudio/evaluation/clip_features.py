"""What an embedding hears in a set of clips, however many: read ahead, computed in fixed tiles, cached.

Shapes: waveform (tile, 1, time); features of a clip (frames or windows, dimensions).
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import AudioClip
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_cache import FeatureCache, Heard
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.feature_settings import CHANNELS, feature_settings
from genaudio.evaluation.measuring import embedding_card
from genaudio.evaluation.unreadable import UnusableClipsError
from genaudio.evaluation.windows import windowed

SILENT = 1e-3  # a clip whose peak lies below (-60 dBFS) counts as silent
_WINDOW = 64  # clips that are looked up, computed and stored together
_AHEAD = 32  # clips that are read while others are computed
# Items that go through an embedding together. A matrix product may round otherwise in another batch, so that a clip's
# features would depend on its neighbours: on each device the tile has one size, and is filled where clips lack.
_TILES = {"cpu": 1, "cuda": 16, "mps": 4}
_TILE_SAMPLES = 2**24  # of a tile in all; a longer clip goes in smaller tiles, by its own length alone

In = TypeVar("In")
Out = TypeVar("Out")


def clip_features(
    embedding: Embedding,
    name: str,
    clips: ClipSet,
    *,
    window: float | None = None,
    device: str | torch.device = "cpu",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> FeatureSet:
    """What the embedding of this registered name hears in `clips`, in their order; float64 on the CPU.

    With `window`, in seconds, it hears each clip in windows of that length that overlap by half, each by itself: a row
    for each window, the mean of its frames, and no log-probabilities.

    With `cache`, the folder of caches, every clip is computed once. Memory holds the features of all clips, and the
    sound of about a hundred. Raises one `DataError` that names the clips that cannot be read, or whose features are
    not finite. Silent clips are heard like others, and counted in the card (`silent_clips`).
    """
    settings = feature_settings(embedding, name, torch.device(device))
    if window is not None:
        settings["window"] = window
    store = None if cache is None else FeatureCache(cache, name, settings)
    try:
        heard = _Listener(embedding, torch.device(device), window, store, progress or Progress()).hear(clips.clips)
    finally:
        if store is not None:
            store.close()
    return _feature_set(embedding, name, clips, heard)


def _feature_set(embedding: Embedding, name: str, clips: ClipSet, heard: Sequence[Heard]) -> FeatureSet:
    dimensions = Counter(one.features.shape[1] for one in heard)
    if len(dimensions) > 1:
        raise GenaudioError(f"{name} gave features of {' and '.join(map(str, dimensions))} dimensions", expected="one")
    seconds = [one.seconds for one in heard]
    card = {
        "channels": CHANNELS,
        "clips": len(heard),
        "silent_clips": sum(one.peak < SILENT for one in heard),
        "sample_rates": {str(rate): count for rate, count in sorted(Counter(one.sample_rate for one in heard).items())},
        "seconds": {"least": min(seconds), "mean": sum(seconds) / len(seconds), "most": max(seconds)},
    }
    found = [one.log_probabilities for one in heard if one.log_probabilities is not None]
    counts = torch.tensor([len(one.features) for one in heard])
    return FeatureSet(
        torch.cat([one.features for one in heard]),
        torch.arange(len(heard)).repeat_interleave(counts),
        tuple(clip.name for clip in clips.clips),
        clips.labels,
        torch.stack(found) if found else None,
        embedding.classes if found else (),
        embedding_card(embedding, name) | card,
    )


@dataclass(frozen=True)
class _Read:
    """A clip that was read: its key, its sound where it is not in the cache, or what is wrong with it."""

    clip: AudioClip
    key: str = ""
    waveform: Tensor | None = None
    sample_rate: int = 0
    wrong: str = ""


class _Listener:
    """Reads, looks up, computes and stores, window by window."""

    def __init__(
        self,
        embedding: Embedding,
        device: torch.device,
        window: float | None,
        store: FeatureCache | None,
        progress: Progress,
    ) -> None:
        self._embedding, self._device, self._store, self._progress = embedding, device, store, progress
        self._window = window
        self._known = set() if store is None else store.keys()
        self._wrong: list[str] = []

    def hear(self, clips: Sequence[AudioClip]) -> list[Heard]:
        """What is heard in each clip; after a bad one the others are only looked at, for the error to name them all."""
        result: list[Heard] = []
        self._progress.start(f"listen: {len(clips)} clips", len(clips), unit="clips")
        try:
            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
                for window in _windows(_ahead(pool, self._read, clips)):
                    self._wrong += [read.wrong for read in window if read.wrong]
                    if not self._wrong:
                        result += self._heard(window)
                    self._progress.update(len(result))
        finally:
            self._progress.finish()
        if self._wrong:
            raise UnusableClipsError.naming(self._wrong, len(clips))
        return result

    def _read(self, clip: AudioClip, *, decode: bool = False) -> _Read:
        """The clip, decoded where its features are not known, or in any case."""
        try:
            loaded = clip.load()
            if loaded.key in self._known and not decode:
                return _Read(clip, loaded.key)
            waveform = loaded.waveform(self._embedding.sample_rate, CHANNELS)
            return _Read(clip, loaded.key, waveform, loaded.sample_rate)
        except GenaudioError as error:
            return _Read(clip, wrong=error.problems[0].given)

    def _heard(self, window: Sequence[_Read]) -> list[Heard]:
        """What is heard in a window: found, or computed and stored; nothing where a clip turns out bad."""
        wanted = {read.key for read in window} & self._known
        found = {} if self._store is None else self._store.get(wanted)
        self._known -= wanted - set(found)  # rows that turned out damaged
        again = [
            read if read.waveform is not None or read.key in found else self._read(read.clip, decode=True)
            for read in window
        ]
        self._wrong += [read.wrong for read in again if read.wrong]
        if self._wrong:
            return []
        missing = {read.key: read for read in again if read.key not in found}
        new: dict[str, Heard] = {}
        for tile in _tiles(missing.values(), self._device):
            new |= self._computed(tile)
        if self._wrong:
            return []
        if self._store is not None:
            self._store.put(new)
            self._known |= set(new)
        return [(found | new)[read.key] for read in again]

    def _computed(self, reads: Sequence[_Read]) -> dict[str, Heard]:
        """Clips of one length, heard in a tile; or each of them in its windows."""
        sounds = [(read, read.waveform) for read in reads if read.waveform is not None]
        logs: Tensor | None = None
        if self._window is None:
            features, logs = self._listened(torch.stack([sound for _, sound in sounds]), reads)
            rows = list(features)
        else:
            rows = [self._in_windows(read, sound, self._window) for read, sound in sounds]
        result = {}
        for number, ((read, sound), row) in enumerate(zip(sounds, rows, strict=True)):
            log = None if logs is None else logs[number].clone()
            if not (row.isfinite().all() and (log is None or not log.isnan().any())):
                self._wrong.append(f"{read.clip.path}: its features are not finite")
            seconds = sound.shape[-1] / self._embedding.sample_rate
            result[read.key] = Heard(row.clone(), log, read.sample_rate, seconds, float(sound.abs().max()))
        return result

    def _in_windows(self, read: _Read, sound: Tensor, seconds: float) -> Tensor:
        """`(windows, dimensions)`: what is heard in each window, the mean of its frames."""
        windows = windowed(sound, self._embedding.sample_rate, seconds)
        tiles = torch.split(windows, tile_size(self._device, windows.shape[-1]))
        return torch.cat([self._listened(tile, [read])[0].mean(1) for tile in tiles])

    def _listened(self, sounds: Tensor, reads: Sequence[_Read]) -> tuple[Tensor, Tensor | None]:
        """Features and log-probabilities of sounds `(n, 1, time)` of these clips, in a tile that the last one fills."""
        size = tile_size(self._device, sounds.shape[-1])
        tile = torch.cat([sounds, sounds[-1:].expand(size - len(sounds), -1, -1)]).to(self._device)
        try:
            with torch.no_grad():
                features, logs = self._embedding.listen(tile)
        except GenaudioError as error:
            where = ", ".join(str(read.clip.path) for read in reads)
            raise GenaudioError.of([replace(problem, path=where) for problem in error.problems]) from error
        features = features.cpu().double()
        if features.ndim != 3 or len(features) != size or not features.shape[1]:
            raise GenaudioError(
                f"{type(self._embedding).__name__} gave features {tuple(features.shape)} of {size} clips",
                expected="(clips, frames, dimensions)",
                mend="report this to the authors of the embedding",
            )
        return features[: len(sounds)], None if logs is None else logs.cpu().double()[: len(sounds)]


def tile_size(device: torch.device, length: int) -> int:
    """How many clips of this length (samples) go through an embedding together on a device."""
    return max(1, min(_TILES.get(device.type, 1), _TILE_SAMPLES // length))


def _tiles(reads: Iterable[_Read], device: torch.device) -> Iterator[list[_Read]]:
    """Clips in groups of one length, none larger than a tile."""
    by_length: dict[int, list[_Read]] = {}
    for read in reads:
        if read.waveform is not None:
            by_length.setdefault(read.waveform.shape[-1], []).append(read)
    for length, group in by_length.items():
        size = tile_size(device, length)
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _ahead(pool: ThreadPoolExecutor, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """`function` of each item, in order, some of them computed ahead in threads."""
    waiting: deque[Future[Out]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _windows(reads: Iterable[_Read]) -> Iterator[list[_Read]]:
    window: list[_Read] = []
    for read in reads:
        window.append(read)
        if len(window) == _WINDOW:
            yield window
            window = []
    if window:
        yield window
