from __future__ import annotations

import math

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.log_mel import FLOOR_DB, LogMel, channel_average, hz_to_mel, mel_filters, mel_to_hz


def sine(frequency: float, sample_rate: int, seconds: float = 1.0, amplitude: float = 1.0) -> torch.Tensor:
    time = torch.arange(round(sample_rate * seconds), dtype=torch.float64) / sample_rate
    return (amplitude * torch.sin(2 * math.pi * frequency * time)).float()


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3000.0])
@pytest.mark.parametrize(("bands", "window"), [(24, 0.032), (64, 0.032), (96, 0.008)])
def test_the_bands_of_a_sine_add_up_to_its_power_around_its_frequency(
    frequency: float, bands: int, window: float
) -> None:
    levels = LogMel(16000, bands=bands, window=window)(sine(frequency, 16000, amplitude=0.1))[:, 20:-20]
    total = 10 * torch.log10(torch.pow(10, levels / 10).sum(0))
    torch.testing.assert_close(total, torch.full_like(total, -20.0), atol=0.15, rtol=0)
    centre = hz_to_mel(frequency) / hz_to_mel(8000) * (bands + 1) - 1
    assert abs(int(levels.mean(-1).argmax()) - centre) < 1.5


def test_the_bands_of_white_noise_add_up_to_its_power() -> None:
    noise = 0.1 * torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    power = torch.pow(10, LogMel(16000, bands=200)(noise) / 10).sum(0).mean()
    assert float(10 * torch.log10(power)) == pytest.approx(10 * math.log10(2 * 0.1**2), abs=0.2)


def test_gain_moves_every_level_by_the_same_decibels() -> None:
    clip = torch.randn(2, 3, 4000, generator=torch.Generator().manual_seed(0)) * 0.1
    transform = LogMel(8000)
    torch.testing.assert_close(transform(clip * 0.1), transform(clip) - 20, atol=2e-3, rtol=0)


def test_shape_is_bands_by_one_frame_a_hop_and_leading_axes_stay() -> None:
    transform = LogMel(8000, bands=40, hop=0.01)
    assert transform(torch.zeros(2, 3, 800)).shape == (2, 3, 40, 11)
    assert transform(torch.zeros(1)).shape == (40, 1)


def test_silence_is_the_floor() -> None:
    assert torch.all(LogMel(8000)(torch.zeros(500)) == FLOOR_DB)


@pytest.mark.parametrize(
    ("sample_rate", "bands", "window"), [(8000, 64, 0.032), (44100, 128, 0.01), (16000, 96, 0.002)]
)
def test_no_band_is_empty_whatever_the_window(sample_rate: int, bands: int, window: float) -> None:
    transform = LogMel(sample_rate, bands=bands, window=window)
    assert torch.all(transform.filters.sum(0) > 0)
    assert transform.n_fft >= transform.window_length


def test_filters_overlap_to_one_between_the_first_and_last_centre() -> None:
    filters = mel_filters(16000, 1 << 14, 30)
    bins = torch.linspace(0, 8000, len(filters))
    inside = (bins >= mel_to_hz(hz_to_mel(8000) / 31)) & (bins <= mel_to_hz(hz_to_mel(8000) * 30 / 31))
    torch.testing.assert_close(filters[inside].sum(1), torch.ones(int(inside.sum())), atol=1e-4, rtol=0)


def test_mel_and_hertz_invert_each_other() -> None:
    assert hz_to_mel(1000) == pytest.approx(1000, rel=1e-4)
    assert mel_to_hz(hz_to_mel(4321.0)) == pytest.approx(4321.0)


def test_channel_average_is_of_power_so_opposite_phases_do_not_cancel() -> None:
    clip = sine(500, 8000)
    transform = LogMel(8000)
    torch.testing.assert_close(
        channel_average(transform(torch.stack([clip, -clip]))), transform(clip), atol=1e-3, rtol=0
    )


def test_an_empty_clip_is_refused() -> None:
    with pytest.raises(GenaudioError, match="without samples"):
        LogMel(8000)(torch.zeros(1, 0))
    with pytest.raises(GenaudioError, match="positive numbers"):
        LogMel(8000, bands=0)
