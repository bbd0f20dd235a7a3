"""The tools of synthesis against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from genaudio.datasets.fft import fast_length
from genaudio.datasets.synthesis.signal import (
    add,
    band,
    band_limited,
    event_times,
    filtered,
    impulses,
    modes,
    resonance,
    scattered,
    slow_curve,
)

RATE = 16000


@pytest.mark.parametrize("length", [1, 8, 11, 1000, 16001, 16800, 352000])
def test_fast_lengths_are_long_enough_not_much_longer_and_nearly_powers_of_two(length: int) -> None:
    found = fast_length(length)
    assert length <= found <= max(8, 1.25 * length)
    while found % 2 == 0:
        found //= 2
    assert found in (1, 3, 5, 9, 15)


@pytest.mark.parametrize("length", [1, 100, 101, 16000])
def test_modes_are_the_sum_of_damped_sines(length: int) -> None:
    amplitudes, frequencies, decays = (
        np.array([1.0, 0.5, 0.25]),
        np.array([220.0, 606.0, 1188.0]),
        np.array([0.5, 0.1, 0.02]),
    )
    time = np.arange(length)[:, None] / RATE
    expected = (amplitudes * np.exp(-time / decays) * np.sin(2 * np.pi * frequencies * time)).sum(axis=1)
    np.testing.assert_allclose(modes(amplitudes, frequencies, decays, length, RATE), expected, atol=1e-10)


def test_modes_above_the_band_are_left_out() -> None:
    one = np.ones(1)
    assert not modes(one, np.array([7500.0]), one, 4000, RATE).any()
    assert modes(one, np.array([6500.0]), one, 4000, RATE).any()


def test_a_resonance_has_unit_gain_at_its_centre_and_falls_by_3_db_at_its_edges() -> None:
    quality, centre = 10.0, 500.0
    half = centre / (2 * quality)
    edges = np.sqrt(centre**2 + half**2) + np.array([-half, half])  # |f/f0 - f0/f| = 1/Q
    gains = np.abs(resonance(np.array([centre, *edges, 5.0]), centre, quality))
    np.testing.assert_allclose(gains[:3], [1, np.sqrt(0.5), np.sqrt(0.5)], rtol=1e-12)
    assert gains[3] < 2e-3


@pytest.mark.parametrize("order", [1, 2])
def test_a_band_is_3_db_down_at_its_edges(order: int) -> None:
    gains = band(np.array([0.0, 1.0, 3000.0]), 1.0, 3000.0, order)
    np.testing.assert_allclose(gains, [0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-6)


def test_filtering_with_a_delay_delays_and_does_not_wrap() -> None:
    signal = np.zeros(1000)
    signal[[10, 990]] = 1.0
    delay = filtered(signal, lambda f: np.exp(-2j * np.pi * f * 100 / RATE), RATE)
    expected = np.zeros(1000)
    expected[110] = 1.0  # the other one leaves at the end
    np.testing.assert_allclose(delay, expected, atol=1e-12)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_band_limiting_keeps_the_middle_and_takes_the_ends(rate: int) -> None:
    time = np.arange(rate) / rate
    middle = np.sin(2 * np.pi * 0.2 * rate * time)
    inner = slice(rate // 4, -rate // 4)
    np.testing.assert_allclose(band_limited(middle, rate)[inner], middle[inner], atol=2e-3)
    assert np.abs(band_limited(np.sin(2 * np.pi * 0.49 * rate * time), rate)[inner]).max() < 2e-3
    assert np.abs(band_limited(np.ones(rate), rate)[inner]).max() < 2e-3


def test_impulses_keep_their_strength_and_their_time() -> None:
    times, strengths = np.array([0.001, 0.01003, 0.05]), np.array([1.0, 0.5, 0.25])
    train = impulses(times, strengths, 1000, RATE)
    assert train.sum() == pytest.approx(strengths.sum())
    assert train @ np.arange(1000) / RATE == pytest.approx(times @ strengths)


def test_scattered_grains_are_added_and_cut_at_the_end() -> None:
    grains, starts = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), np.array([1, 2])
    np.testing.assert_array_equal(scattered(grains, starts, 4), [0, 1, 12, 23])
    target = np.zeros(4)
    for grain, start in zip(grains, starts, strict=True):
        add(target, grain, int(start))
    np.testing.assert_array_equal(target, [0, 1, 12, 23])
    add(target, grains[0], 4)
    np.testing.assert_array_equal(target, [0, 1, 12, 23])


@pytest.mark.parametrize("duration", [0.1, 1.0, 30.0])
def test_events_begin_early_and_keep_their_pace(duration: float) -> None:
    for seed in range(50):
        times = event_times(np.random.default_rng(seed), duration, 0.2, 0.25)
        assert 0 < times[0] <= 0.08
        assert times[-1] < duration
        steps = np.diff(times)
        assert ((steps >= 0.15 - 1e-12) & (steps <= 0.25 + 1e-12)).all()
        assert duration - times[-1] < 0.25 + 0.02 + 1e-9


def test_slow_curves_are_smooth_and_bounded() -> None:
    curve = slow_curve(np.random.default_rng(3), RATE, RATE, 5.0)
    assert np.abs(curve).max() <= 1
    assert np.abs(np.diff(curve)).max() <= 1.01 * np.pi * 5.0 / RATE  # the steepest cosine arc from -1 to 1
    assert curve.std() > 0.2
