"""The base of every dataset that is made of audio files: what they share from the listing of files to the clip.

A leaf says which files there are, with their class, group and split (`listing`), and where to get them (`source`).
Everything else is here: decoding through the cache, normalisation, cropping and padding, and the account of files that
cannot be used, which are named, counted, and never replaced by others.
"""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch

from genaudio.core.component import parameter
from genaudio.core.errors import DataError
from genaudio.core.files import expanded
from genaudio.core.seeds import derive_seed
from genaudio.core.wording import listed
from genaudio.datasets.audio import SUFFIXES, BadAudioError
from genaudio.datasets.base import Clip, Clips, Dataset, Progress, Rejected, Split
from genaudio.datasets.cache import AudioCache, CachedAudio, default_cache
from genaudio.datasets.loudness import Normalization, gain

_NAMED = 5  # files that an error names; the rest are counted


@dataclass(frozen=True)
class Item:
    """One file of a listing. Files of one `group` (a recording, a speaker) may be cut from the same sound."""

    path: Path
    label: int | None
    group: str
    split: Split


@dataclass(frozen=True)
class Listing:
    """All files of a dataset in a fixed order, and the names of their classes."""

    classes: tuple[str, ...]
    items: tuple[Item, ...]


class FileDataset(Dataset):
    """A dataset of audio files below `root`."""

    source: ClassVar[str]  # where to get the data, its licence, and the layout expected below `root`

    root: str = parameter(
        description="Folder of the data; ~ and $VARIABLES are expanded, relative to the working directory", min_length=1
    )
    crop: Literal["random", "start", "center"] = parameter(
        "random", description="Which part of a longer file becomes the clip; random: by the seed and the clip's index"
    )
    pad: Literal["end", "center"] = parameter(
        "end", description="Where a shorter file gets its silence: after it, or on both sides"
    )
    normalize: Normalization = parameter(
        "none",
        description="What each file is brought to before cropping: nothing, a peak, or a loudness (ITU-R BS.1770-4)",
    )
    peak_level: float = parameter(
        -1.0, ge=-60, le=0, unit="dBFS", description="Peak that `peak` brings a file to and `loudness` does not exceed"
    )
    loudness_level: float = parameter(-20.0, ge=-70, le=0, unit="LUFS", description="Loudness that `loudness` aims at")
    silence: float = parameter(
        -60.0, ge=-200, le=0, unit="dBFS", description="A file whose peak lies below this is silent, and rejected"
    )
    max_rejected: float = parameter(
        0.01, ge=0, le=1, description="Share of unreadable, empty or silent files of a split above which opening fails"
    )

    @property
    def folder(self) -> Path:
        """`root` with ~ and variables expanded; `data/…` is looked for in $GENAUDIO_DATA where it is not here."""
        folder = expanded(self.root)
        elsewhere = os.environ.get("GENAUDIO_DATA")
        if elsewhere and not folder.exists() and folder.parts[:1] == ("data",):
            return Path(elsewhere).joinpath(*folder.parts[1:])
        return folder

    @abstractmethod
    def listing(self, folder: Path) -> Listing:
        """Every file below `folder`, sorted; raises `DataError` (see `missing`) when the layout is another."""

    def missing(self, given: str) -> DataError:
        """The error that `given` is wrong with the data, and where to get them."""
        mend = "get the data, or say where they are: dataset.root, or $GENAUDIO_DATA in place of data/"
        return DataError(given, expected=self.source, mend=mend)

    def open(self, split: Split, *, cache: Path | None = None, progress: Progress | None = None) -> Clips:
        """The clips of a split. Decoded audio is kept below `cache`, or the folder that `default_cache` names."""
        folder = self.folder
        if not folder.is_dir():
            what = f"{self.root!r} is a file" if folder.is_file() else f"no folder {self.root!r}"
            raise self.missing(what if Path(self.root).is_absolute() else f"{what} (that is, {folder.absolute()})")
        listing = self.listing(folder)
        items = [item for item in listing.items if item.split == split]
        if not items:
            counts = {
                name: sum(item.split == name for item in listing.items) for name in ("train", "validation", "test")
            }
            held = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise DataError(
                f"{self.root!r} holds no {split} clips",
                expected=f"at least one file of the split; found {held}",
                mend=self.split_hint(),
            )
        decoded = AudioCache(cache or default_cache(), self.sample_rate, self.channels).open(
            [item.path for item in items], progress
        )
        return _FileClips(self, folder, listing.classes, items, decoded)

    def split_hint(self) -> str:
        """What to change when a split is empty."""
        return "change the fields that say which files are held out"


class _FileClips(Clips):
    """The usable files of one split. Holds maps of files and no other state: safe in any number of threads."""

    def __init__(
        self,
        source: FileDataset,
        folder: Path,
        classes: tuple[str, ...],
        items: Sequence[Item],
        decoded: Sequence[CachedAudio | BadAudioError],
    ) -> None:
        self.sample_rate = source.sample_rate
        self.channels = source.channels
        self.length = source.length
        self.classes = classes
        self._source = source
        usable: list[tuple[str, int | None, CachedAudio, float]] = []
        rejected: list[Rejected] = []
        for item, audio in zip(items, decoded, strict=True):
            identity = item.path.relative_to(folder).as_posix()
            if isinstance(audio, BadAudioError):
                rejected.append(Rejected(identity, str(audio)))
            elif audio.peak <= 0 or 20 * math.log10(audio.peak) < source.silence:
                rejected.append(Rejected(identity, f"silent: its peak is {_decibels(audio.peak)}"))
            else:
                factor = gain(source.normalize, audio.peak, audio.loudness, source.peak_level, source.loudness_level)
                usable.append((identity, item.label, audio, factor))
        self.rejected = tuple(rejected)
        if rejected and (not usable or len(rejected) > source.max_rejected * len(items)):
            raise _too_many(source, self.rejected, len(items))
        self._usable = usable
        self.size = len(usable)

    def clip(self, index: int, seed: int) -> Clip:
        if not 0 <= index < len(self._usable):
            raise DataError(f"clip {index} of {self._source.root!r}", expected=f"0 to {len(self._usable) - 1}")
        identity, label, audio, factor = self._usable[index]
        samples, room = audio.samples(), audio.frames - self.length
        waveform = torch.zeros(self.channels, self.length)
        if room >= 0:
            start = {"start": 0, "center": room // 2}.get(self._source.crop)
            if start is None:
                start = derive_seed("crop", seed, index) % (room + 1)
            waveform.numpy()[:] = samples[:, start : start + self.length]
        else:
            start = -room // 2 if self._source.pad == "center" else 0
            waveform.numpy()[:, start : start + audio.frames] = samples
        return Clip(waveform.mul_(factor).clamp_(-1, 1), label, identity)


def audio_files(folder: Path) -> list[Path]:
    """Every wav, flac, ogg and mp3 file below `folder`, sorted; hidden files and folders are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_dir()
    )


def _too_many(source: FileDataset, rejected: Sequence[Rejected], count: int) -> DataError:
    named = listed((f"{one.identity} ({one.reason})" for one in rejected), _NAMED, long=True)
    return DataError(
        f"{len(rejected)} of {count} files below {source.root!r} cannot be used: {named}",
        expected=f"at most {source.max_rejected:.3g} of the files (`max_rejected`)",
        mend="repair or remove these files, or raise `max_rejected`",
    )


def _decibels(peak: float) -> str:
    return f"{20 * math.log10(peak):.1f} dBFS" if peak > 0 else "no sound at all"
