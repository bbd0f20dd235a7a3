from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from genaudio.core.errors import GenaudioError
from genaudio.core.files import sha256
from genaudio.evaluation.embeddings import panns
from genaudio.evaluation.embeddings.networks.front_ends import PANNsLogMel
from genaudio.evaluation.embeddings.networks.panns import CNN14, WavegramLogmelCNN14
from genaudio.evaluation.embeddings.panns import VARIANTS, PANNs
from tests.evaluation.embeddings.conftest import channels_averaged, heard_alike_alone, layers_of_torchlibrosa, noise

Build = Callable[..., PANNs]


class ThinCNN14(CNN14):
    def __init__(self) -> None:
        super().__init__((2, 3, 4, 4, 5, 6), 8)


class ThinWavegram(WavegramLogmelCNN14):
    def __init__(self) -> None:
        super().__init__((2, 3, 4, 4, 5, 6), 8, (4, 64))


def front_of(variant: str) -> PANNsLogMel:
    known = VARIANTS[variant]
    return PANNsLogMel(known.rate, known.n_fft, known.hop_length, known.highest)


def checkpoint(variant: str, network: torch.nn.Module) -> dict[str, Any]:
    """In the released format: the weights below `model`, the STFT and the mel filters as layers among them."""
    front = front_of(variant)
    layers = layers_of_torchlibrosa(front.n_fft, front.filters)
    return {"iteration": 600000, "model": {**layers, **network.state_dict()}}


@pytest.fixture
def thin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: Any) -> Build:
    """PANNs with few channels and 8 features, of any variant; checkpoints are `<variant>.pth`."""
    for variant, known in VARIANTS.items():
        network = ThinWavegram if known.network is WavegramLogmelCNN14 else ThinCNN14
        torch.save(checkpoint(variant, spelling.randomised(network())), tmp_path / f"{variant}.pth")
        monkeypatch.setitem(VARIANTS, variant, replace(known, network=network))

    def build(variant: str, **fields: Any) -> PANNs:
        return PANNs(**{"variant": variant, "weights": str(tmp_path / f"{variant}.pth"), **fields})

    return build


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_clip_gives_one_row_and_the_logarithms_of_527_probabilities(variant: str, thin: Build) -> None:
    embedding = thin(variant)
    audio = noise(3, 1, embedding.sample_rate)
    features, logarithms = embedding.features(audio), embedding.log_probabilities(audio)
    assert (features.shape, features.dtype) == ((3, 1, 8), torch.float64)
    assert (logarithms.shape, logarithms.dtype) == ((3, 527), torch.float64)
    assert (features >= 0).all()
    assert features.std() > 0
    torch.testing.assert_close(logarithms.exp().sum(-1), torch.ones(3, dtype=torch.float64))
    assert (embedding.frame_window, embedding.frame_hop) == (None, None)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_what_comes_out_is_the_network_of_the_checkpoint_on_its_own_log_mel(
    variant: str, thin: Build, spelling: Any
) -> None:
    embedding = thin(variant)
    audio = noise(2, 1, 20000)
    network = spelling.randomised(VARIANTS[variant].network())
    features, logits = network(front_of(variant)(audio[:, 0]), audio[:, 0])
    torch.testing.assert_close(embedding.features(audio)[:, 0], features.double(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        embedding.log_probabilities(audio), logits.double().log_softmax(-1), rtol=1e-4, atol=1e-4
    )


def test_both_come_from_one_run_of_the_network(thin: Build) -> None:
    embedding = thin("cnn14_16k", probabilities="sigmoid")
    audio, runs = noise(2, 1, 16000), []
    embedding._network.register_forward_hook(lambda *_: runs.append(1))
    features, logarithms = embedding.listen(audio)
    assert runs == [1]
    assert torch.equal(features, embedding.features(audio))
    assert torch.equal(logarithms, embedding.log_probabilities(audio))


def test_rates_are_those_of_the_variants() -> None:
    assert [PANNs(variant=variant).sample_rate for variant in VARIANTS] == [16000, 32000, 32000]  # type: ignore[arg-type]


def test_sigmoids_are_shared_out_between_the_classes(thin: Build) -> None:
    """A ratio of two classes is that of their sigmoids; logits far below 0 stay finite."""
    audio = noise(2, 1, 16000)
    softmax = thin("cnn14_16k").log_probabilities(audio)
    shared = thin("cnn14_16k", probabilities="sigmoid").log_probabilities(audio)
    logits = thin("cnn14_16k")._heard(audio)[1]
    torch.testing.assert_close(softmax[:, 3] - softmax[:, 7], logits[:, 3] - logits[:, 7])
    expected = logits.sigmoid() / logits.sigmoid().sum(-1, keepdim=True)
    torch.testing.assert_close(shared.exp(), expected)


def test_a_clip_is_heard_the_same_in_any_batch_and_channels_are_averaged(thin: Build) -> None:
    for variant in VARIANTS:
        embedding = thin(variant)
        audio = noise(11, 1, 16000)
        heard_alike_alone(embedding, audio, rtol=1e-5, atol=1e-6)
        channels_averaged(embedding, audio[:2], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("variant", "shortest"), [("cnn14_16k", 4960), ("cnn14_32k", 9920), ("wavegram_logmel_cnn14", 10236)]
)
def test_short_clips_are_refused_not_padded(variant: str, shortest: int, thin: Build) -> None:
    embedding = thin(variant)
    assert embedding.features(noise(1, 1, shortest)).isfinite().all()
    with pytest.raises(GenaudioError, match=rf"at least {shortest} samples, 0.3\d+ s\n.*padding with silence"):
        embedding.features(noise(1, 1, shortest - 1))
    with pytest.raises(GenaudioError, match=f"clips of {shortest - 1} samples"):
        embedding.log_probabilities(noise(1, 1, shortest - 1))


def test_weights_of_another_variant_are_refused(thin: Build, tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match=r"conv_real.weight \(257, 1, 512\) is another STFT[\s\S]*the `variant`"):
        thin("cnn14_32k", weights=str(tmp_path / "cnn14_16k.pth")).features(noise(1, 1, 16000))
    with pytest.raises(GenaudioError, match=r"has too much: pre_.*has other shapes: conv_block2.conv1.weight"):
        thin("cnn14_32k", weights=str(tmp_path / "wavegram_logmel_cnn14.pth")).features(noise(1, 1, 16000))


def test_safetensors_without_the_front_end_are_enough(thin: Build, tmp_path: Path, spelling: Any) -> None:
    save_file(spelling.randomised(ThinCNN14()).state_dict(), tmp_path / "plain.safetensors")
    plain = thin("cnn14_16k", weights=str(tmp_path / "plain.safetensors"))
    audio = noise(2, 1, 16000)
    assert torch.equal(plain.features(audio), thin("cnn14_16k").features(audio))
    assert plain.weights_sha256 == sha256(tmp_path / "plain.safetensors") != thin("cnn14_16k").weights_sha256


def test_classes_are_numbers_or_the_names_of_a_table(tmp_path: Path) -> None:
    assert PANNs().classes == tuple(str(number) for number in range(527))
    table = tmp_path / "class_labels_indices.csv"
    rows = [f'{number},/m/{number},"Sound, no. {number}"' for number in reversed(range(527))]
    table.write_text("index,mid,display_name\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert PANNs(labels=str(table)).classes == tuple(f"Sound, no. {number}" for number in range(527))
    table.write_text("index,mid,display_name\n" + "\n".join(rows[1:]) + "\n", encoding="utf-8")
    with pytest.raises(GenaudioError, match=r"names 526 classes\n.*the classes 0 to 526"):
        _ = PANNs(labels=str(table)).classes
    for text in ("number,name\n0,x\n", "index,display_name\nzero,x\n"):
        table.write_text(text, encoding="utf-8")
        with pytest.raises(GenaudioError, match="the columns index and display_name"):
            _ = PANNs(labels=str(table)).classes
    with pytest.raises(GenaudioError, match="cannot be read"):
        _ = PANNs(labels=str(tmp_path / "absent.csv")).classes


def test_names_of_published_files() -> None:
    assert [known.published.file_name for known in VARIANTS.values()] == [
        "Cnn14_16k_mAP=0.438.pth",
        "Cnn14_mAP=0.431.pth",
        "Wavegram_Logmel_Cnn14_mAP=0.439.pth",
    ]
    assert panns.VARIANTS["cnn14_32k"].published.url.startswith("https://zenodo.org/record/3987831/files/")


@pytest.mark.slow
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_weights_of_the_published_size_are_loaded_and_give_2048_features(
    variant: str, tmp_path: Path, spelling: Any
) -> None:
    path = tmp_path / "full.pth"
    torch.save(checkpoint(variant, spelling.randomised(VARIANTS[variant].network())), path)
    embedding = PANNs(variant=variant, weights=str(path))  # type: ignore[arg-type]
    audio = noise(2, 1, embedding.sample_rate)
    assert embedding.features(audio).shape == (2, 1, 2048)
    assert embedding.features(audio).std() > 0
    assert embedding.log_probabilities(audio).logsumexp(-1).tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert math.isfinite(embedding.log_probabilities(audio).min())
