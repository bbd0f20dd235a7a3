from __future__ import annotations

import io
import math

import numpy as np
import pytest
import soundfile

from genaudio.reports.audio import encode, level


def sine(amplitude: float, channels: int = 1, length: int = 8000) -> np.ndarray:
    wave = amplitude * np.sin(2 * np.pi * 440 * np.arange(length) / 8000)
    return np.tile(wave, (channels, 1)).astype(np.float32)


def test_levels_of_a_sine_are_its_amplitude_and_3_db_less() -> None:
    found = level(sine(0.5))
    assert found.peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert found.rms_dbfs == pytest.approx(20 * math.log10(0.5) - 3.01, abs=0.01)
    assert found.mark == ""


def test_marks() -> None:
    assert level(np.zeros((1, 100))).mark == "silent"
    assert level(np.zeros((1, 0))).mark == "silent"
    assert level(sine(0.0005)).mark == "silent"
    assert level(sine(0.01)).mark == ""
    assert level(np.clip(sine(1.2), -1, 1)).mark == "clipped"
    assert level(sine(1.2)).mark == "clipped"
    assert level(np.array([[0.1, math.nan]])).mark == "not finite"
    normalised = sine(0.5)
    normalised[0, 17] = 1.0  # a lone peak at full scale, as peak normalisation leaves it
    assert level(normalised).mark == ""


@pytest.mark.parametrize("channels", [1, 2])
def test_the_encoded_file_decodes_to_the_clip_within_half_a_16_bit_step(channels: int) -> None:
    clip = sine(0.7, channels)
    media, content = encode(clip, 8000)
    decoded, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    assert media == "audio/flac"
    assert rate == 8000
    np.testing.assert_allclose(decoded.T, clip, atol=1 / 32768)


def test_the_smaller_file_wins() -> None:
    assert encode(np.zeros((1, 1), np.float32), 8000)[0] == "audio/wav"
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8000))
    assert len(encode(noise, 8000)[1]) <= 44 + 2 * 8000


def test_samples_out_of_range_are_held_at_full_scale() -> None:
    _, content = encode(np.array([[2.0, -2.0, math.nan, math.inf]]), 8000)
    decoded, _ = soundfile.read(io.BytesIO(content))
    np.testing.assert_allclose(decoded, [1, -1, 0, 1], atol=1 / 32768)
