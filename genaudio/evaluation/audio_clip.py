"""One clip to evaluate or to audit, and where its sound comes from: a file, an open dataset, or memory.

Shapes: waveform (channels, time), float32.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from genaudio.core.errors import DataError
from genaudio.datasets.audio import BadAudioError, Waveform, convert, decode
from genaudio.datasets.base import Clips


class LoadedClip(ABC):
    """The content of a clip, read once: its key, and its waveform at any rate."""

    @property
    @abstractmethod
    def key(self) -> str:
        """SHA-256 of the content."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Its own rate in Hz."""

    @abstractmethod
    def waveform(self, sample_rate: int, channels: int = 1) -> Tensor:
        """`(channels, time)` at this rate (Hz), several channels averaged to one; raises `DataError`."""


@dataclass(frozen=True)
class AudioClip(ABC):
    """One clip: where it is, its name within its set, and its class or None."""

    path: Path
    name: str
    label: str | None

    @abstractmethod
    def load(self) -> LoadedClip:
        """What the clip holds at this moment; raises `DataError`."""

    def read(self, sample_rate: int, channels: int = 1) -> Tensor:
        """The waveform at this rate (Hz), several channels averaged to one; raises `DataError`."""
        return self.load().waveform(sample_rate, channels)


@dataclass(frozen=True)
class SoundFile(AudioClip):
    """A clip that is a sound file; its content is the file's bytes."""

    def load(self) -> LoadedClip:
        """The file's bytes."""
        try:
            return _LoadedFile(self.path, self.path.read_bytes())
        except OSError as error:
            raise DataError(f"{self.path}: {error.strerror or error}", expected="a sound file") from error


@dataclass(frozen=True)
class DatasetClip(AudioClip):
    """A clip of a dataset that is open: cropped, padded and levelled as a model is trained on it.

    Its content is the samples and their rate. `path` is its identity in the dataset.
    """

    clips: Clips
    index: int
    seed: int

    def load(self) -> LoadedClip:
        """The samples, as the dataset gives them for `index` and `seed`."""
        return _LoadedSamples(
            self.name, self.clips.clip(self.index, self.seed).waveform.numpy(), self.clips.sample_rate
        )


@dataclass(frozen=True)
class WaveformClip(AudioClip):
    """A clip in memory, `(channels, time)` at a rate in Hz: one that was generated and is not on disk."""

    samples: Tensor
    rate: int

    def load(self) -> LoadedClip:
        """Its samples."""
        return _LoadedSamples(self.name, self.samples.cpu().float().numpy(), self.rate)


@dataclass(frozen=True)
class _LoadedFile(LoadedClip):
    path: Path
    data: bytes

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def sample_rate(self) -> int:
        try:
            return int(soundfile.info(io.BytesIO(self.data)).samplerate)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise DataError(f"{self.path}: unreadable", expected="a sound file that can be read") from error

    def waveform(self, sample_rate: int, channels: int = 1) -> Tensor:
        try:
            return torch.from_numpy(decode(self.data, sample_rate, channels))
        except BadAudioError as error:
            raise DataError(f"{self.path}: {error}", expected="a sound file that can be read") from error


@dataclass(frozen=True)
class _LoadedSamples(LoadedClip):
    name: str
    samples: Waveform
    rate: int

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(f"samples {self.samples.shape} at {self.rate} Hz\n".encode())
        digest.update(self.samples.astype("<f4").tobytes())
        return digest.hexdigest()

    @property
    def sample_rate(self) -> int:
        return self.rate

    def waveform(self, sample_rate: int, channels: int = 1) -> Tensor:
        try:
            return torch.from_numpy(convert(self.samples, self.rate, sample_rate, channels))
        except BadAudioError as error:
            raise DataError(f"{self.name}: {error}", expected="a clip that can be used") from error
