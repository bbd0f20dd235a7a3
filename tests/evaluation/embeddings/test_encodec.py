"""EnCodec on small random checkpoints that transformers wrote: the layouts of the 24 kHz and of the 48 kHz model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.encodec import EnCodec
from tests.evaluation.embeddings.conftest import channels_averaged, heard_alike_alone

SIZES: dict[str, Any] = {"num_filters": 4, "hidden_size": 16, "codebook_size": 64}
STEREO: dict[str, Any] = {
    "sampling_rate": 48000,
    "audio_channels": 2,
    "normalize": True,
    "chunk_length_s": 1.0,
    "overlap": 0.01,
    "norm_type": "time_group_norm",
    "use_causal_conv": False,
    "target_bandwidths": [3.0],
}


def saved(folder: Path, **settings: Any) -> Path:
    torch.manual_seed(0)
    model = transformers.EncodecModel(transformers.EncodecConfig(**SIZES, **settings))
    # Codes that lie where latents do, so that neighbouring latents have different ones.
    with torch.no_grad():
        latents = model.encoder(noise(1, model.config.audio_channels, 64 * 320))[0].mT
    for number, layer in enumerate(model.quantizer.layers):
        layer.codebook.embed.copy_(latents if number == 0 else latents - latents.mean(0))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("encodec24"))


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("encodec48"), **STEREO)


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_quantised_features_are_the_codes_that_transformers_writes(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    clips = noise(3, 1, 24000) if kind == "mono" else noise(3, 2, 48000)
    model = transformers.EncodecModel.from_pretrained(folder).eval()
    bandwidth = model.config.target_bandwidths[0]
    with torch.no_grad():
        codes = model.encode(clips, bandwidth=bandwidth).audio_codes[0]
        ours = model.quantizer.encode(EnCodec(weights=str(folder)).features(clips).float().mT, bandwidth)
    assert codes.unique().numel() > 10
    assert (ours.transpose(0, 1) == codes).double().mean() > 0.999


def test_frames_come_at_the_rate_of_the_codec(mono: Path, stereo: Path) -> None:
    for folder, rate, frames, channels in ((mono, 24000, 75, 1), (stereo, 48000, 150, 2)):
        embedding = EnCodec(weights=str(folder))
        assert embedding.sample_rate == rate
        assert embedding.frame_hop == embedding.frame_window == pytest.approx(1 / frames)
        for length in (320, 321, rate, 2 * rate + 1000):
            assert embedding.features(noise(1, channels, length)).shape == (1, math.ceil(length / 320), 16)


def test_the_stereo_model_hears_each_second_by_itself(stereo: Path) -> None:
    embedding, clip = EnCodec(weights=str(stereo)), noise(1, 2, 2 * 48000 + 1000)
    features = embedding.features(clip)
    first, second = (embedding.features(clip[..., at : at + 48000]) for at in (0, 48000))
    assert features[:, :150].numpy() == pytest.approx(first.numpy(), abs=1e-5)
    assert features[:, 150:300].numpy() == pytest.approx(second.numpy(), abs=1e-5)
    # The last second reaches back to where a frame begins, and gives the four frames that are left.
    last = clip[..., 153 * 320 :]
    scale = last.mean(1).square().mean().sqrt()
    with torch.no_grad():
        latents = transformers.EncodecModel.from_pretrained(stereo).eval().encoder(last / scale).mT
    assert features[:, 300:].numpy() == pytest.approx(latents[:, -4:].numpy(), abs=1e-4)


def test_the_loudness_of_a_second_is_set_aside_by_the_stereo_model_alone(mono: Path, stereo: Path) -> None:
    heard, clips = EnCodec(weights=str(stereo)), noise(1, 2, 48000)
    assert heard.features(0.1 * clips).numpy() == pytest.approx(heard.features(clips).numpy(), abs=1e-4)
    loud, clip = EnCodec(weights=str(mono)), noise(1, 1, 24000)
    assert (loud.features(0.1 * clip) - loud.features(clip)).abs().max() > 1e-3


def test_channels_are_averaged_or_copied(mono: Path, stereo: Path) -> None:
    clip = noise(2, 1, 24000)
    one, two = EnCodec(weights=str(mono)), EnCodec(weights=str(stereo))
    channels_averaged(one, clip, atol=1e-4)
    assert torch.equal(two.features(clip), two.features(clip.expand(-1, 2, -1)))


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_a_clip_has_the_same_features_alone_and_in_a_batch(kind: str, request: pytest.FixtureRequest) -> None:
    embedding, clips = EnCodec(weights=str(request.getfixturevalue(kind))), noise(3, 1, 60000)
    heard_alike_alone(embedding, clips, atol=1e-5)


def test_silence_is_finite_and_a_clip_below_one_frame_is_refused(stereo: Path) -> None:
    embedding = EnCodec(weights=str(stereo))
    assert embedding.features(torch.zeros(1, 1, 48000)).isfinite().all()
    with pytest.raises(GenaudioError, match=r"clips of 319 samples, .*\n    expected  at least 320"):
        embedding.features(torch.zeros(1, 1, 319))
