"""HuBERT on small random checkpoints that transformers wrote, of the layout of its large models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.hubert import HuBERT
from genaudio.evaluation.embeddings.wav2vec2 import Wav2Vec2
from tests.evaluation.embeddings.conftest import heard_alike_alone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hubert")
    torch.manual_seed(0)
    config = transformers.HubertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
    )
    transformers.HubertModel(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return 0.1 * torch.randn(2, 1, 6000, generator=torch.Generator().manual_seed(1))


def test_the_last_layer_is_normalised_as_the_model_gives_it(folder: Path, clips: torch.Tensor) -> None:
    """The models with layer norms in front end with one more, which the list of hidden states may lack."""
    model = transformers.HubertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        output = model(clips[:, 0], output_hidden_states=True)
    last, middle = (HuBERT(weights=str(folder), layer=layer).features(clips) for layer in (-1, 1))
    assert last.numpy() == pytest.approx(output.last_hidden_state.numpy(), abs=1e-5)
    assert middle.numpy() == pytest.approx(output.hidden_states[1].numpy(), abs=1e-5)


def test_gain_is_heard_where_the_checkpoint_does_not_normalise(folder: Path, clips: torch.Tensor) -> None:
    embedding = HuBERT(weights=str(folder))
    quiet = embedding.features(0.001 * clips)
    assert (quiet - embedding.features(clips)).abs().max() > 0.01


def test_a_clip_has_the_same_features_alone_and_in_a_batch(folder: Path, clips: torch.Tensor) -> None:
    heard_alike_alone(HuBERT(weights=str(folder)), clips, atol=1e-5)


def test_the_weights_of_a_relative_are_refused_though_they_fit(folder: Path, clips: torch.Tensor) -> None:
    with pytest.raises(GenaudioError, match=r"a model of the type 'hubert'\n    expected  model_type 'wav2vec2'"):
        Wav2Vec2(weights=str(folder)).features(clips)
