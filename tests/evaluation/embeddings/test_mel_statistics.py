from __future__ import annotations

import math

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from tests.evaluation.embeddings.conftest import heard_alike_alone


def tone(frequency: float, amplitude: float = 1.0, rate: int = 8000, length: int = 8000) -> torch.Tensor:
    return amplitude * torch.sin(2 * math.pi * frequency * torch.arange(length) / rate)[None, None]


def test_half_of_the_features_are_means_and_half_deviations() -> None:
    embedding = MelStatistics(rate=8000, bands=20)
    features = embedding.features(torch.cat([tone(1000), tone(300)]))
    assert features.shape == (2, 1, 40)
    assert features.dtype == torch.float64
    assert (embedding.sample_rate, embedding.weights_sha256) == (8000, None)
    assert features[0, 0, :20].argmax() > features[1, 0, :20].argmax()


def test_gain_raises_the_means_and_leaves_the_deviations_of_what_is_above_the_floor() -> None:
    noise = 0.1 * torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(0))
    embedding = MelStatistics(rate=8000)
    quiet, loud = embedding.features(noise)[0, 0], embedding.features(2 * noise)[0, 0]
    assert (loud - quiet)[:32].numpy() == pytest.approx(20 * math.log10(2), abs=1e-4)
    assert (loud - quiet)[32:].numpy() == pytest.approx(0, abs=1e-4)


def test_a_pulsing_sound_deviates_and_a_steady_one_does_not() -> None:
    pulse = tone(1000) * (torch.arange(8000) % 2000 < 1000)
    embedding = MelStatistics(rate=8000)
    band = int(embedding.features(tone(1000))[0, 0, :32].argmax())
    assert embedding.features(pulse)[0, 0, 32 + band] > 20
    assert embedding.features(tone(1000))[0, 0, 32 + band] < 3


def test_silence_lies_at_the_floor_with_all_that_is_below_it() -> None:
    embedding = MelStatistics(rate=8000, floor=-60.0)
    silence, hiss = torch.zeros(1, 2, 4000), 1e-6 * torch.ones(1, 2, 4000)
    assert embedding.features(silence)[0, 0, :32].tolist() == pytest.approx([-60.0] * 32, abs=1e-4)
    assert torch.equal(embedding.features(silence), embedding.features(hiss))


def test_equal_clips_have_equal_features_whatever_else_is_in_the_batch() -> None:
    clips = torch.randn(5, 1, 3000, generator=torch.Generator().manual_seed(0))
    embedding = MelStatistics()
    heard_alike_alone(embedding, clips, atol=1e-4)
    assert torch.equal(embedding.features(clips), MelStatistics().features(clips))


def test_a_waveform_without_channels_is_refused() -> None:
    with pytest.raises(GenaudioError, match=r"expected  \(batch, channels, time\)"):
        MelStatistics().features(torch.zeros(3, 100))
