from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from genaudio.reports.spectrogram import RANGE_DB, ceiling, colour_stops, frequency_ticks, levels, png


def tone(frequency: float, sample_rate: int = 16000, seconds: float = 1.0, amplitude: float = 0.5) -> np.ndarray:
    time = np.arange(round(sample_rate * seconds)) / sample_rate
    return (amplitude * np.sin(2 * np.pi * frequency * time))[None].astype(np.float32)


def test_a_tone_is_a_line_at_its_place_on_the_axis() -> None:
    picture = levels(tone(1000), 16000)
    row = int(picture.mean(1).argmax())
    tick = next(tick for tick in frequency_ticks(16000) if tick.text == "1k")
    assert row / len(picture) == pytest.approx(tick.place, abs=0.02)
    pixels = imread(io.BytesIO(png(picture, 0.0)))[..., :3]
    assert pixels.shape[:2] == picture.shape
    brightest = int(pixels.sum((1, 2)).argmax())
    assert brightest == len(picture) - 1 - row  # low frequencies below


@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_picture_has_about_256_columns_whatever_the_length(seconds: float) -> None:
    assert levels(tone(500, seconds=seconds), 16000).shape == (96, pytest.approx(256, abs=4))


@pytest.mark.parametrize("length", [0, 1, 7, 300])
def test_very_short_clips_have_pictures(length: int) -> None:
    picture = levels(np.ones((1, length), np.float32), 8000)
    assert np.isfinite(picture).all()
    assert png(picture, 0.0).startswith(b"\x89PNG")


def test_opposite_channels_do_not_cancel_and_non_finite_samples_do_no_harm() -> None:
    mono = tone(800)
    np.testing.assert_allclose(levels(np.concatenate((mono, -mono)), 16000), levels(mono, 16000), atol=1e-3)
    mono[0, 5] = np.nan
    assert np.isfinite(levels(mono, 16000)).all()


def test_one_scale_for_a_page_that_one_loud_clip_does_not_move() -> None:
    assert ceiling([]) == 0.0
    assert ceiling([levels(np.zeros((1, 800)), 8000)]) == -60.0
    assert ceiling([levels(tone(500, amplitude=30.0), 16000)]) == 0.0
    quiet = levels(tone(500, amplitude=0.01), 16000)
    assert -40 <= ceiling([quiet]) <= -30
    assert ceiling([quiet]) % 5 == 0


def test_colours_run_from_dark_to_light_between_top_minus_range_and_top() -> None:
    ramp = np.linspace(-RANGE_DB - 30, 20, 64, dtype=np.float32)[None]
    pixels = imread(io.BytesIO(png(ramp, 0.0)))[0, :, :3] @ np.array([0.2126, 0.7152, 0.0722])
    assert np.all(np.diff(pixels) >= -1e-6)
    assert pixels[0] < 0.01
    assert pixels[-1] > 0.9
    stops = colour_stops()
    assert (stops[0], len(stops)) == ("#000003", 9)


@pytest.mark.parametrize("sample_rate", [2000, 8000, 16000, 22050, 44100, 192000])
def test_ticks_are_inside_the_picture_in_order_and_apart(sample_rate: int) -> None:
    places = [tick.place for tick in frequency_ticks(sample_rate)]
    assert len(places) >= 3
    assert places[0] > 0
    assert places[-1] < 0.97
    assert np.diff(places).min() > 0.07
