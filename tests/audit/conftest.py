"""Small worlds of synthetic sound in which it is known what was copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from torch import Tensor

from genaudio.audit import AuditedClip, AuditResult
from genaudio.evaluation.audio_clip import SoundFile
from genaudio.evaluation.clip_set import ClipSet

RATE = 16000
Sound = NDArray[np.float32]
TRAINING = 24


def events(seed: int, seconds: float = 2.0) -> Sound:
    """Sweeps and bursts of coloured noise at random times and pitches: sound with a structure of its own."""
    draws = np.random.default_rng(seed)
    length = round(seconds * RATE)
    result = 1e-3 * draws.standard_normal(length)
    for _ in range(round(8 * seconds)):
        duration = int(draws.uniform(0.08, 0.4) * RATE)
        time = np.arange(duration) / RATE
        start, end = draws.uniform(150, 6000, 2)
        phase = 2 * np.pi * (start * time + (end - start) * time**2 / (2 * duration / RATE))
        wave = np.sin(phase) if draws.random() < 0.6 else draws.standard_normal(duration) * np.sin(phase)
        place = int(draws.integers(0, max(1, length - duration)))
        envelope = np.hanning(duration) ** draws.uniform(0.5, 2)
        stretch = result[place : place + duration]
        stretch += (draws.uniform(0.1, 0.5) * wave * envelope)[: len(stretch)]
    return (0.5 * result / np.abs(result).max()).astype(np.float32)


def noise(seed: int, seconds: float = 2.0) -> Sound:
    """Steady noise, as of rain: every clip of it has the same spectrum."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="session")
def clip_set(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ClipSet]:
    """Writes sounds to files and gives the set of them, all of one label."""

    def write(sounds: dict[str, Sound], label: str | None = None) -> ClipSet:
        folder = tmp_path_factory.mktemp("clips")
        clips = []
        for name, sound in sounds.items():
            path: Path = folder / name
            if path.suffix == ".mp3":
                soundfile.write(path, sound, RATE, format="MP3")
            else:
                soundfile.write(path, sound, RATE, subtype="FLOAT")
            clips.append(SoundFile(path, name, label))
        return ClipSet(folder, tuple(clips))

    return write


def with_noise(sound: Sound, snr: float, seed: int = 0) -> Sound:
    level = np.sqrt(np.mean(np.square(sound))) * 10 ** (-snr / 20)
    return (sound + level * np.random.default_rng(seed).standard_normal(len(sound))).astype(np.float32)


def made() -> dict[str, Sound]:
    """Altered copies of training clip 3, a stitch of 5 and 8, an excerpt of 9, and what is no copy."""
    copied, first, second = events(3), events(5), events(8)
    excerpt = events(900)
    excerpt[8000:24000] = events(9)[4000:20000]
    silence = np.zeros(2 * RATE, np.float32)
    return {
        "same.wav": copied,
        "gain.wav": 0.05 * copied,
        "shift.wav": np.concatenate([np.zeros(1237, np.float32), copied[:-1237]]),
        "noise40.wav": with_noise(copied, 40),
        "noise20.wav": with_noise(copied, 20),
        "noise12.wav": with_noise(copied, 12),
        "resampled.wav": soxr.resample(soxr.resample(copied, RATE, 12000), 12000, RATE),
        "muffled.wav": soxr.resample(soxr.resample(copied, RATE, 6000), 6000, RATE),
        "slower.wav": soxr.resample(copied, RATE, RATE * 1.02),
        "coded.mp3": copied,
        "stitch.wav": with_noise(np.concatenate([0.5 * first[8000:24000], 2 * second[2000:18000]]), 40),
        "excerpt.wav": excerpt,
        "new.wav": events(901),
        "rain.wav": noise(902),
        "silence.wav": silence,
        "longer.wav": events(903, 3.1),
        "short.wav": events(904, 0.05),
        "faint.wav": np.concatenate([0.005 * first[8000:18000], 2 * second[2000:18000]]),
    }


@pytest.fixture(scope="session")
def sets(clip_set: Callable[..., ClipSet]) -> tuple[ClipSet, ClipSet, ClipSet]:
    """Generated clips as `made` gives them, training clips, and held-out ones; rain among all of them."""
    rain = {f"rain{n}.wav": noise(n) for n in range(4)}
    training = {f"{n:02d}.wav": events(n) for n in range(TRAINING)}
    held_out = {f"{n}.wav": events(n) for n in range(100, 148)}
    held_out_rain = {f"rain{n}.wav": noise(n) for n in range(200, 204)}
    return clip_set(made()), clip_set(training | rain), clip_set(held_out | held_out_rain)


def clip(result: AuditResult, name: str) -> AuditedClip:
    return next(clip for clip in result.clips if Path(clip.generated).name == name)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[dict[str, Tensor]], Path]:
    """A folder with these clips at 8 kHz, by name."""

    def write(clips: dict[str, Tensor], folder: str = "clips") -> Path:
        for name, waveform in clips.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, waveform.numpy(), 8000, subtype="FLOAT")
        return tmp_path / folder

    return write
