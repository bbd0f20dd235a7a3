from __future__ import annotations

import pytest
import torch

from genaudio.evaluation.augmentation import NoiseBank, mask, mean_level, shift, warp
from genaudio.evaluation.log_mel import LogMel

QUIETEST = -120.0


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def power(levels: torch.Tensor) -> torch.Tensor:
    return torch.pow(10.0, levels / 10)


@pytest.fixture(scope="module")
def bank() -> NoiseBank:
    return NoiseBank(LogMel(8000)(torch.randn(8, 8000, generator=generator(3))), 8000)


@pytest.mark.parametrize("snr", [5.0, 20.0])
def test_noise_has_the_ratio_that_was_asked_for(bank: NoiseBank, snr: float) -> None:
    levels = LogMel(8000)(torch.randn(6, 8000, generator=generator(1)) * torch.logspace(-2, 0, 6)[:, None])
    noisy = bank.added(levels, generator(), lowest_snr=snr, highest_snr=snr)
    added = (power(noisy) - power(levels)).sum(1).mean(-1)
    measured = mean_level(levels).flatten() - 10 * added.log10()
    torch.testing.assert_close(measured, torch.full((6,), snr), atol=0.02, rtol=0)


def test_noise_differs_between_items_and_stays_finite_on_silence(bank: NoiseBank) -> None:
    silent = torch.full((40, 64, 101), QUIETEST)
    noisy = bank.added(silent, generator())
    assert torch.isfinite(noisy).all()
    tilt = (noisy - silent)[:, 40:].mean((1, 2)) - (noisy - silent)[:, :10].mean((1, 2))
    assert float(tilt.max() - tilt.min()) > 1


def test_shift_moves_whole_frames_and_fills_with_quiet() -> None:
    levels = torch.full((64, 4, 101), QUIETEST)
    levels[:, :, 50] = 0.0
    moved = shift(levels, generator(), QUIETEST)
    places = moved[:, 0].argmax(-1)
    assert (int(places.min()), int(places.max())) == (40, 60)
    assert int((moved == 0).sum()) == 64 * 4
    assert int((moved == QUIETEST).sum()) == 64 * 4 * 100


def test_warp_without_width_changes_nothing_and_with_it_moves_pitch_and_time() -> None:
    levels = QUIETEST + 100 * torch.rand(3, 64, 80, generator=generator(1))
    still = warp(levels, generator(), QUIETEST, stretch=0.0, bands=0.0)
    torch.testing.assert_close(still, levels, atol=1e-2, rtol=0)
    line = torch.full((200, 64, 80), QUIETEST)
    line[:, 32] = 0.0
    bands = warp(line, generator(), QUIETEST, stretch=0.0, bands=2.0)[:, :, 40].argmax(-1)
    assert (int(bands.min()), int(bands.max())) == (30, 34)
    click = torch.full((200, 64, 81), QUIETEST)
    click[:, :, 80] = 0.0  # slower: it leaves, faster: it moves towards the middle by up to 15 %
    frames = warp(click, generator(), QUIETEST, bands=0.0)[:, 32]
    there = frames.amax(-1) > -60
    assert 60 < int(there.sum()) < 140
    assert int(frames[there].argmax(-1).min()) == 75


def test_mask_hides_one_run_of_bands_and_one_of_frames() -> None:
    hidden = mask(torch.zeros(50, 40, 60), generator(), QUIETEST, share=0.2) == QUIETEST
    bands, frames = hidden.all(2), hidden.all(1)
    assert int(bands.sum(1).max()) <= 8
    assert int(frames.sum(1).max()) <= 12
    assert torch.equal(hidden, bands[:, :, None] | frames[:, None, :])
    for runs in (bands, frames):
        padded = torch.nn.functional.pad(runs.int(), (1, 1))
        assert int((padded.diff() == 1).sum(1).max()) == 1


def test_the_same_generator_gives_the_same_levels(bank: NoiseBank) -> None:
    levels = LogMel(8000)(torch.randn(3, 8000, generator=generator(5)))
    assert torch.equal(bank.added(levels, generator(2)), bank.added(levels, generator(2)))
    assert not torch.equal(bank.added(levels, generator(2)), bank.added(levels, generator(3)))
