"""The contract of datasets.

Shapes: waveform (channels, time), float32 in [-1, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from genaudio.core.component import Component, parameter

Split = Literal["train", "validation", "test"]
Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True)
class Clip:
    """One training clip: its waveform (channels, time), its class or None, and what it came from."""

    waveform: Tensor
    label: int | None
    identity: str


@dataclass(frozen=True)
class Rejected:
    """A file that could not be used, and why."""

    identity: str
    reason: str


class Clips(ABC):
    """One split of a dataset, opened: clips of equal length, addressed by index.

    `size` is None for a source without end, which then accepts every index from 0 on.
    """

    sample_rate: int
    channels: int
    length: int
    classes: tuple[str, ...]
    size: int | None
    rejected: tuple[Rejected, ...] = ()

    @abstractmethod
    def clip(self, index: int, seed: int) -> Clip:
        """Clip `index`; crops and every other random choice are a function of `(seed, index)` alone."""


class Dataset(Component, ABC):
    """Where the training clips come from. Clips of any rate, length and channel count come out as declared here."""

    sample_rate: int = parameter(16000, ge=1000, le=192000, description="Rate that clips are brought to", unit="Hz")
    duration: float = parameter(1.0, gt=0, le=600, description="Length that clips are cropped or padded to", unit="s")
    channels: int = parameter(1, ge=1, le=8, description="Channel count that clips are brought to")

    @property
    def length(self) -> int:
        """Length of a clip in samples."""
        return round(self.sample_rate * self.duration)

    @abstractmethod
    def open(self, split: Split, *, cache: Path | None = None, progress: Progress | None = None) -> Clips:
        """The clips of a split; `cache` is a folder for decoded audio. Raises `DataError` if none is usable."""
