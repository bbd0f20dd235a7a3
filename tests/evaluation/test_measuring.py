from __future__ import annotations

import math

import pytest
import torch

from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.measuring import embed, measure, resampled
from genaudio.evaluation.metrics.fad import FAD


def clips(count: int, seed: int = 0, channels: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(count, channels, 4000, generator=torch.Generator().manual_seed(seed))


def test_features_are_those_of_every_clip_in_order() -> None:
    embedding = MelStatistics(rate=8000, bands=8)
    waveform = clips(70)
    features = embed(embedding, "mel_statistics", waveform, 8000).features
    assert features.shape == (70, 16)
    assert features[69].numpy() == pytest.approx(embedding.features(waveform[69:])[0, 0].numpy(), abs=1e-4)


def test_a_clip_is_brought_to_the_rate_of_the_embedding() -> None:
    rate, wanted = 8000, 16000
    sine = torch.sin(2 * math.pi * 440 * torch.arange(rate) / rate).expand(2, 2, -1)
    result = resampled(sine, rate, wanted)
    expected = torch.sin(2 * math.pi * 440 * torch.arange(wanted) / wanted)
    assert result.shape == (2, 2, wanted)
    assert (result - expected)[..., 2000:-2000].abs().max() < 1e-3
    assert resampled(sine, rate, rate) is sine
    assert embed(MelStatistics(rate=wanted), "mel_statistics", sine, rate).features.shape == (2, 64)


def test_the_card_names_embedding_hash_rates_and_counts() -> None:
    embedding = MelStatistics(rate=8000, bands=4)
    features = [embed(embedding, "mel_statistics", clips(count, seed), 8000) for count, seed in ((20, 0), (30, 1))]
    measurement = measure(FAD(draws=0), *features)
    assert measurement.value == FAD(draws=0).measure(*features).value
    assert measurement.card["embedding"] == "mel_statistics"
    assert measurement.card["embedding_fields"]["bands"] == 4
    assert measurement.card["weights_sha256"] is None
    assert (measurement.card["sample_rate"], measurement.card["embedding_sample_rate"]) == (8000, 8000)
    assert (measurement.card["generated"], measurement.card["reference"]) == (20, 30)
