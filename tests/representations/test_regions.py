"""Where spans and bands lie in the planes of the representations."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.representations.complex_stft import ComplexSTFT
from genaudio.representations.regions import weights
from genaudio.representations.waveform import Waveform


def test_weights_are_0_outside_1_inside_and_half_in_the_middle_of_the_edge() -> None:
    positions = torch.linspace(0, 10, 101, dtype=torch.float64)
    found = weights(positions, [(2, 6)], (0, 10), 1.0)
    assert not found[positions <= 2].any()
    assert not found[positions >= 6].any()
    assert bool((found[(positions > 2.99) & (positions < 5.01)] == 1).all())
    assert found[25] == pytest.approx(0.5)
    torch.testing.assert_close(found[20:61], found[20:61].flip(0))


def test_weights_have_no_edge_at_an_end_of_the_axis_and_join_where_ranges_overlap() -> None:
    positions = torch.linspace(0, 12, 121, dtype=torch.float64)
    assert bool((weights(positions, [(0, 10)], (0, 10), 1.0) == 1).all())
    joined = weights(positions, [(1, 5), (3, 8)], (0, 10), 1.0)
    assert bool((joined[(positions > 2) & (positions < 7)] == 1).all())
    narrow = weights(positions, [(4, 5)], (0, 10), 8.0)  # the edges shrink to half of the range
    assert narrow.max() == pytest.approx(1.0)


def test_the_frames_of_a_span_are_those_with_their_centre_in_it() -> None:
    stft = ComplexSTFT(n_fft=64, hop_length=16, time_multiple=8)
    mask = stft.mask(1000, 1, 8000, spans=[(0.02, 0.06)])
    assert mask.shape == (1, 1, stft.frames(1000))
    centres = torch.arange(stft.frames(1000)) * 16 / 8000
    assert torch.equal(mask[0, 0] > 0, (centres > 0.02) & (centres < 0.06))
    whole = (centres >= 0.024) & (centres <= 0.056)  # the edge is half a window, 4 ms
    assert bool((mask[0, 0][whole] > 1 - 1e-6).all())


def test_the_bins_of_a_band_are_those_with_their_frequency_in_it() -> None:
    stft = ComplexSTFT(n_fft=64, hop_length=16)
    mask = stft.mask(1000, 2, 8000, bands=[(1000, 2500)])
    assert mask.shape == (1, 33, 1)
    hertz = torch.arange(33) * 125.0
    assert torch.equal(mask[0, :, 0] > 0, (hertz > 1000) & (hertz < 2500))
    assert bool((stft.mask(1000, 1, 8000, bands=[(0, 4000)]) == 1).all())
    both = stft.mask(1000, 1, 8000, spans=[(0.02, 0.06)], bands=[(1000, 2500)])
    torch.testing.assert_close(both, mask * stft.mask(1000, 1, 8000, spans=[(0.02, 0.06)]))


def test_a_sound_in_the_region_is_what_the_mask_covers() -> None:
    """A tone burst in a span and a band: nearly all of its energy lies in the masked part of the plane."""
    stft, time = ComplexSTFT(n_fft=254, hop_length=64, exponent=1), torch.arange(8000) / 8000
    burst = torch.sin(2 * torch.pi * 1500 * time) * ((time > 0.4) & (time < 0.6))
    x = stft.encode(burst[None, None])[0].square()
    mask = stft.mask(8000, 1, 8000, spans=[(0.35, 0.65)], bands=[(1200, 1800)])
    assert float((x * mask).sum() / x.sum()) > 0.99
    elsewhere = stft.mask(8000, 1, 8000, spans=[(0.7, 0.9)], bands=[(1200, 1800)])
    assert float((x * elsewhere).sum() / x.sum()) < 1e-3


def test_the_waveforms_mask_goes_sample_by_sample() -> None:
    grid = Waveform(fold=8, time_multiple=4)
    mask = grid.mask(1000, 1, 8000, spans=[(0.02, 0.06)])
    assert mask.shape == (1, *grid.shape(1000)[1:])
    samples = grid.decode(mask[None], 1000)[0, 0]
    assert samples.nonzero().flatten()[[0, -1]].tolist() == [161, 479]
    assert bool((samples[177:464] > 1 - 1e-6).all())


def test_the_waveform_has_no_bands() -> None:
    with pytest.raises(GenaudioError, match=r"bands for Waveform, whose plane has no frequencies[\s\S]*complex_stft"):
        Waveform().mask(1000, 1, 8000, bands=[(100, 200)])
