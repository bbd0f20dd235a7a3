"""Clips to evaluate or to audit: sound files with their classes, read one by one at the rate that is asked for.

Shapes: waveform (channels, time), float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genaudio.core.errors import DataError
from genaudio.datasets.audio import SUFFIXES, BadAudioError, decode


@dataclass(frozen=True)
class AudioClip:
    """One sound file: where it is, and its class or None. `name` is its path below the folder of the set."""

    path: Path
    name: str
    label: str | None

    def read(self, sample_rate: int, channels: int = 1) -> Tensor:
        """The waveform at this rate (Hz), several channels averaged to one; raises `DataError`."""
        return self._decoded(self._bytes(), sample_rate, channels)

    def read_with_key(self, sample_rate: int, channels: int = 1) -> tuple[Tensor, str]:
        """The waveform, and the SHA-256 of the very bytes that it was decoded from."""
        data = self._bytes()
        return self._decoded(data, sample_rate, channels), hashlib.sha256(data).hexdigest()

    def key(self) -> str:
        """SHA-256 of the file's bytes."""
        return hashlib.sha256(self._bytes()).hexdigest()

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}", expected="a sound file") from error

    def _decoded(self, data: bytes, sample_rate: int, channels: int) -> Tensor:
        try:
            return torch.from_numpy(decode(data, sample_rate, channels))
        except BadAudioError as error:
            raise DataError(f"{self.path}: {error}", expected="a sound file that can be read") from error


@dataclass(frozen=True)
class ClipSet:
    """Clips of one folder, in the order of their names."""

    folder: Path
    clips: tuple[AudioClip, ...]

    @classmethod
    def of_folder(cls, folder: Path) -> ClipSet:
        """Every sound file below `folder`; the class is what its manifest says, or the first sub-folder's name.

        A run directory is its `samples/`. Raises `DataError` if there is no sound.
        """
        if (folder / "samples" / "manifest.json").is_file():
            folder = folder / "samples"
        if not folder.is_dir():
            raise DataError(
                f"{folder} is {'a file' if folder.exists() else 'not there'}", expected="a folder of sound files"
            )
        labels = _manifest_labels(folder / "manifest.json")
        paths = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        )
        clips = []
        for path in paths:
            name = path.relative_to(folder)
            label = name.parts[0] if len(name.parts) > 1 else None
            clips.append(AudioClip(path, name.as_posix(), labels.get(name.as_posix(), label)))
        if not clips:
            raise DataError(f"no sound files in {folder}", expected=f"some of {', '.join(SUFFIXES)}")
        return cls(folder, tuple(clips))

    @property
    def labels(self) -> tuple[str | None, ...]:
        """Each clip's class."""
        return tuple(clip.label for clip in self.clips)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are there, in order of name."""
        return tuple(sorted({label for label in self.labels if label is not None}))

    def select(self, numbers: Sequence[int]) -> ClipSet:
        """The clips of these numbers."""
        return ClipSet(self.folder, tuple(self.clips[number] for number in numbers))


def _manifest_labels(path: Path) -> dict[str, str | None]:
    """Classes by file name, as the manifest of generated clips gives them; nothing where there is no manifest."""
    try:
        return {clip["file"]: clip["label"] for clip in json.loads(path.read_text(encoding="utf-8"))["clips"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read: {error!r}", expected="the manifest of generated clips", mend="sample again"
        ) from error
