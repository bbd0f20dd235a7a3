"""Loudness against the numbers of ITU-R BS.1770-4 and of EBU Tech 3341."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genaudio.datasets.loudness import _biquads, gain, loudness


def sine(level: float, seconds: float, rate: int = 48000, frequency: float = 997.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (10 ** (level / 20) * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def test_the_filters_at_48_khz_are_the_tables_of_the_recommendation() -> None:
    (shelf_b, shelf_a), (high_b, high_a) = _biquads(48000)
    np.testing.assert_allclose(
        np.array(shelf_b) / shelf_a[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], rtol=1e-8
    )
    np.testing.assert_allclose(np.array(shelf_a) / shelf_a[0], [1, -1.69065929318241, 0.73248077421585], rtol=1e-8)
    np.testing.assert_allclose(np.array(high_b) / high_a[0], [1, -2, 1], rtol=1e-8)
    np.testing.assert_allclose(np.array(high_a) / high_a[0], [1, -1.99004745483398, 0.99007225036621], rtol=1e-8)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_a_full_scale_sine_reads_minus_3_01(rate: int) -> None:
    assert loudness(sine(0, 3, rate)[None], rate) == pytest.approx(
        -3.01, abs=0.05
    )  # the shelf bends a little at low rates


def test_levels_and_channels_add_as_they_should() -> None:
    quiet, both = sine(-23, 3), np.stack([sine(-23, 3)] * 2)
    assert loudness(quiet[None], 48000) == pytest.approx(-26.01, abs=0.02)
    assert loudness(both, 48000) == pytest.approx(-23.0, abs=0.02)


def test_the_gates_leave_out_what_is_quiet() -> None:
    # EBU Tech 3341, case 3: 10 s at -36, 60 s at -23, 10 s at -36 dBFS in both channels read -23 LUFS. Shortened.
    signal = np.concatenate([sine(-36, 5), sine(-23, 30), sine(-36, 5)])
    assert loudness(np.stack([signal] * 2), 48000) == pytest.approx(-23.0, abs=0.1)
    padded = np.concatenate([sine(-23, 6), np.zeros(6 * 48000, np.float32)])
    assert loudness(np.stack([padded] * 2), 48000) == pytest.approx(-23.0, abs=0.2)


def test_short_clips_are_one_block_and_silence_is_minus_infinity() -> None:
    assert loudness(sine(-20, 0.2)[None], 48000) == pytest.approx(-23.01, abs=0.1)
    assert loudness(np.zeros((1, 1000), np.float32), 48000) == -math.inf
    assert math.isfinite(loudness(np.full((1, 1), 0.5, np.float32), 1000))


def test_gains_reach_their_levels() -> None:
    assert gain("none", 0.5, -20, -1, -20) == 1
    assert gain("none", 2.0, -20, -1, -20) == 0.5
    assert gain("peak", 0.5, -20, -6, -20) * 0.5 == pytest.approx(10 ** (-6 / 20))
    assert gain("loudness", 0.1, -30, -1, -20) == pytest.approx(10 ** (10 / 20))
    assert gain("loudness", 0.5, -40, -1, -20) * 0.5 == pytest.approx(10 ** (-1 / 20))  # the peak is the limit
    assert gain("loudness", 0.5, -math.inf, -1, -20) == 1
