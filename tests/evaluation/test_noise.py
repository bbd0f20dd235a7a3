from __future__ import annotations

import pytest
import torch

from genaudio.evaluation.noise import add_noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("snr", [5.0, 30.0])
def test_noise_has_the_ratio_that_was_asked_for(snr: float) -> None:
    clip = torch.randn(6, 2, 1001, generator=generator(1)) * torch.tensor([0.01, 0.1, 0.2, 0.5, 1, 2]).reshape(6, 1, 1)
    added = add_noise(clip, generator(), lowest_snr=snr, highest_snr=snr) - clip
    measured = 10 * torch.log10(clip.square().mean((1, 2)) / added.square().mean((1, 2)))
    torch.testing.assert_close(measured, torch.full((6,), snr), atol=0.05, rtol=0)


def test_ratios_and_colours_differ_between_items() -> None:
    clip = torch.ones(200, 1, 512)
    added = add_noise(clip, generator()) - clip
    snr = -10 * torch.log10(added.square().mean((1, 2)))
    assert 5 <= float(snr.min()) < 10
    assert 55 < float(snr.max()) <= 60
    power = torch.fft.rfft(added[:, 0]).abs().square()
    tilt = 10 * torch.log10(power[:, 1:20].mean(-1) / power[:, -100:].mean(-1))
    assert float(tilt.min()) < 6
    assert float(tilt.max()) > 25


def test_silence_stays_silent() -> None:
    assert torch.count_nonzero(add_noise(torch.zeros(2, 1, 64), generator())) == 0


def test_the_same_generator_gives_the_same_clips() -> None:
    clip = torch.randn(3, 1, 77, generator=generator(5))
    assert torch.equal(add_noise(clip, generator(2)), add_noise(clip, generator(2)))
    assert not torch.equal(add_noise(clip, generator(2)), add_noise(clip, generator(3)))
