"""What the tests of datasets share: writing tones in every format, and a cache of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(name, seconds, rate, channels, frequency, amplitude)`: a sine in a file below tmp_path / "data"."""

    def tone(
        name: str,
        seconds: float = 0.5,
        rate: int = 16000,
        channels: int = 1,
        frequency: float = 440.0,
        amplitude: float = 0.5,
        **options: str,
    ) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        samples = np.repeat(amplitude * np.sin(2 * np.pi * frequency * time)[:, None], channels, axis=1)
        soundfile.write(path, samples, rate, **options)
        return path

    return tone


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
