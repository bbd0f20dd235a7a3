"""Clips for tests: three classes of tones, told apart by their pitch."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from genaudio.datasets.base import Clip, Clips
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.classifier_training import train_classifier

PITCHES = {"low": 300.0, "middle": 800.0, "high": 2000.0}


class Tones(Clips):
    """Short decaying tones with random pitch around their class's, loudness and phase; endless if `size` is None."""

    sample_rate = 8000
    channels = 1
    length = 1600
    classes = tuple(PITCHES)

    def __init__(self, size: int | None = 48, seed: int = 0, labelled: bool = True) -> None:
        self.size = size
        self.seed = seed
        self.labelled = labelled

    def clip(self, index: int, seed: int) -> Clip:
        draw = torch.rand(3, generator=torch.Generator().manual_seed(1000 * self.seed + index)).tolist()
        label = index % len(self.classes)
        time = torch.arange(self.length) / self.sample_rate
        pitch = PITCHES[self.classes[label]] * (0.9 + 0.2 * draw[0])
        wave = torch.sin(2 * math.pi * (pitch * time + draw[1])) * torch.exp(-5 * time) * (0.1 + 0.8 * draw[2])
        return Clip(wave[None], label if self.labelled else None, f"tone {index}")


@pytest.fixture(scope="session")
def tones() -> Callable[..., Clips]:
    return Tones


@pytest.fixture(scope="session")
def trained() -> Classifier:
    """A classifier that has learned the tones."""
    return train_classifier(Tones(), steps=60, batch_size=16)
