"""The `procedural` dataset: labelled sounds without end, synthesised from seeds alone; no files.

Clip `index` is of class `index % len(classes)`, and is a function of `(seed of the source, split, class, index)`, so
that every class comes equally often and no two splits share a clip. It needs no random crop: the seed that the caller
of `Clips.clip` gives changes nothing. The sounds themselves are in `genaudio.datasets.synthesis`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import field_validator

from genaudio.core.component import Strings, parameter
from genaudio.core.errors import DataError
from genaudio.core.registry import suggestion
from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Clip, Clips, Dataset, Progress, Split
from genaudio.datasets.synthesis import SOUNDS, Signal, band_limited

_VARIATION = 0.1  # peaks lie within level * (1 +- this)
_FADE = 0.004  # s, at both ends, so that no clip starts or stops with a step


class Procedural(Dataset):
    """Labelled sounds synthesised from a seed: impacts, rain, an engine, footsteps, typing, a bird and others."""

    sample_rate: int = parameter(16000, ge=8000, le=192000, description="Rate of the clips", unit="Hz")
    duration: float = parameter(1.0, ge=0.1, le=600, description="Length of the clips", unit="s")
    channels: int = parameter(1, ge=1, le=8, description="Channel count; all channels carry the same sound")
    classes: Strings = parameter(
        ("bird", "engine", "footsteps", "keyboard", "metal", "rain"),
        min_length=1,
        description=f"Sounds to make, in the order of their labels: {', '.join(SOUNDS)}",
    )
    seed: int = parameter(0, ge=0, description="Seed of the source: another seed, other sounds")
    level: float = parameter(0.8, gt=0, le=0.9, description="Mean peak of a clip; peaks vary by 10 % around it")

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        for name in classes:
            if name not in SOUNDS:
                hint = suggestion(name, SOUNDS)
                raise ValueError(f"some of {', '.join(SOUNDS)}, and not {name!r}{'; ' + hint if hint else ''}")
        if len(set(classes)) != len(classes):
            raise ValueError("each class once")
        return classes

    def open(self, split: Split, *, cache: Path | None = None, progress: Progress | None = None) -> Clips:
        """The clips of a split, made when asked for; nothing is cached, since making one is as quick as reading it."""
        return _Synthesised(self, split)


class _Synthesised(Clips):
    """Clips that are computed when asked for. Without state: safe in any number of threads."""

    size = None

    def __init__(self, source: Procedural, split: Split) -> None:
        self.sample_rate = source.sample_rate
        self.channels = source.channels
        self.length = source.length
        self.classes = source.classes
        self._source = source
        self._split = split

    def clip(self, index: int, seed: int) -> Clip:
        if index < 0:
            raise DataError(f"clip {index} of a procedural source", expected="an index from 0 on")
        label = index % len(self.classes)
        name, source = self.classes[label], self._source
        random = np.random.default_rng(derive_seed("procedural", self._split, source.seed, name, index))
        sound = band_limited(SOUNDS[name](random, self.length, self.sample_rate), self.sample_rate)
        peak = source.level * random.uniform(1 - _VARIATION, 1 + _VARIATION)
        waveform = torch.from_numpy(_levelled(sound, peak, self.sample_rate).astype(np.float32))
        return Clip(
            waveform.expand(self.channels, -1).clone(), label, f"procedural/{source.seed}/{self._split}/{name}/{index}"
        )


def _levelled(sound: Signal, peak: float, rate: int) -> Signal:
    """`sound` with faded ends and its largest sample at `peak`."""
    size = min(round(_FADE * rate), len(sound) // 4)
    ramp = np.sin(0.5 * np.pi * (np.arange(size) + 0.5) / size) ** 2
    sound[:size] *= ramp
    sound[-size:] *= ramp[::-1]
    level: Signal = sound * (peak / np.max(np.abs(sound)))
    return level
