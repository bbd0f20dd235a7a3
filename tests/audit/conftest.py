"""Folders of short clips whose likeness is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

RATE = 8000


def tone(frequency: float, seconds: float = 1.0, seed: int = 0) -> Tensor:
    """A tone with overtones whose levels the seed draws, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(round(RATE * seconds)) / RATE
    levels = torch.rand(8, generator=generator)
    partials = [level * torch.sin(2 * torch.pi * frequency * n * time) for n, level in enumerate(levels, start=1)]
    return 0.1 * torch.stack(partials).sum(0) + 1e-3 * torch.randn(len(time), generator=generator)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[dict[str, Tensor]], Path]:
    """A folder with these clips, by name."""

    def write(clips: dict[str, Tensor], folder: str = "clips") -> Path:
        for name, waveform in clips.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, waveform.numpy(), RATE, subtype="FLOAT")
        return tmp_path / folder

    return write
