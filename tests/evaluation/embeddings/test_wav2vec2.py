"""wav2vec 2.0 on small random checkpoints that transformers wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.wav2vec2 import Wav2Vec2
from tests.evaluation.embeddings.conftest import channels_averaged, heard_alike_alone

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 12,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wav2vec2")
    torch.manual_seed(0)
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SIZES)).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return 0.1 * torch.randn(3, 1, 8000, generator=torch.Generator().manual_seed(1))


def test_layers_are_those_of_transformers(folder: Path, clips: torch.Tensor) -> None:
    """Against its feature extractor and model, each called by itself."""
    model = transformers.Wav2Vec2Model.from_pretrained(folder).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    inputs = extractor([clip[0].numpy() for clip in clips], sampling_rate=16000, return_tensors="pt").input_values
    with torch.no_grad():
        output = model(inputs, output_hidden_states=True)
    for layer, expected in ((-1, output.last_hidden_state), (3, output.last_hidden_state)):
        features = Wav2Vec2(weights=str(folder), layer=layer).features(clips)
        assert features.dtype == torch.float64
        assert features.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    for layer in (0, 1, 2, -2):
        features = Wav2Vec2(weights=str(folder), layer=layer).features(clips)
        assert features.numpy() == pytest.approx(output.hidden_states[layer].numpy(), abs=1e-5)


def test_a_frame_is_25_ms_long_and_comes_every_20(folder: Path) -> None:
    embedding = Wav2Vec2(weights=str(folder))
    assert (embedding.sample_rate, embedding.frame_window, embedding.frame_hop) == (16000, 0.025, 0.02)
    for length in (400, 719, 720, 16000):
        assert embedding.features(torch.zeros(1, 1, length)).shape == (1, 1 + (length - 400) // 320, 32)


def test_a_clip_below_one_frame_is_refused(folder: Path) -> None:
    with pytest.raises(GenaudioError, match=r"clips of 399 samples, .*\n    expected  at least 400"):
        Wav2Vec2(weights=str(folder)).features(torch.zeros(1, 1, 399))


def test_a_clip_has_the_same_features_alone_and_in_a_batch(folder: Path, clips: torch.Tensor) -> None:
    embedding = Wav2Vec2(weights=str(folder))
    heard_alike_alone(embedding, clips, atol=1e-5)
    assert torch.equal(embedding.features(clips), Wav2Vec2(weights=str(folder)).features(clips))


def test_gain_and_offset_are_set_aside_where_the_checkpoint_says_so(folder: Path, clips: torch.Tensor) -> None:
    embedding = Wav2Vec2(weights=str(folder))
    assert embedding.features(0.2 * clips + 0.1).numpy() == pytest.approx(embedding.features(clips).numpy(), abs=1e-4)


def test_channels_are_averaged(folder: Path, clips: torch.Tensor) -> None:
    channels_averaged(Wav2Vec2(weights=str(folder)), clips, atol=1e-4)


def test_a_larger_model_lends_the_part_that_is_wanted(tmp_path: Path, clips: torch.Tensor) -> None:
    torch.manual_seed(0)
    tuned = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**SIZES)).eval()
    tuned.save_pretrained(tmp_path / "tuned")
    tuned.wav2vec2.save_pretrained(tmp_path / "base")
    for name in ("tuned", "base"):
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / name)
    tuned_features, base_features = (
        Wav2Vec2(weights=str(tmp_path / name)).features(clips) for name in ("tuned", "base")
    )
    assert torch.equal(tuned_features, base_features)


def test_a_layer_that_is_not_there_is_refused(folder: Path, clips: torch.Tensor) -> None:
    for layer in (4, -5):
        with pytest.raises(GenaudioError, match=rf"layer {layer}\n    expected  -4 to 3"):
            Wav2Vec2(weights=str(folder), layer=layer).features(clips)


def test_a_folder_that_does_not_say_how_audio_is_prepared_is_refused(tmp_path: Path) -> None:
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**SIZES)).save_pretrained(tmp_path)
    with pytest.raises(GenaudioError, match=r"preprocessor_config\.json with sampling_rate and do_normalize"):
        Wav2Vec2(weights=str(tmp_path)).features(torch.zeros(1, 1, 8000))


def test_how_audio_is_prepared_is_part_of_the_hash_of_the_config(tmp_path: Path, folder: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert Wav2Vec2(weights=str(copy)).config_sha256 == Wav2Vec2(weights=str(folder)).config_sha256
    settings = copy / "preprocessor_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"do_normalize": False}))
    changed = Wav2Vec2(weights=str(copy))
    assert changed.config_sha256 != Wav2Vec2(weights=str(folder)).config_sha256
    assert changed.weights_sha256 == Wav2Vec2(weights=str(folder)).weights_sha256
