"""For embeddings: what holds for all, a second spelling of what published ones are made of, small random CLAP models.

The spelling is in NumPy and float64. The models are folders as transformers writes them, and weights under LAION's
names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import get_window
from torch import nn

from genaudio.evaluation.embeddings.base import Embedding

Array = NDArray[np.float64]


class Spelling:
    """Layers on one item, `(channels, ...)`; the weights come from a `state_dict`."""

    @staticmethod
    def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
        """Weights and statistics drawn anew, none a neutral 0 or 1, and such that ReLUs let most of it through."""
        generator = torch.Generator().manual_seed(seed)
        for name, value in network.state_dict().items():
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
            elif value.is_floating_point():
                low = 0.5 if name.endswith(("var", "weight")) else 0.1
                value.copy_(low + torch.rand(value.shape, generator=generator))
        return network.eval()

    @staticmethod
    def weights(network: nn.Module) -> dict[str, Array]:
        return {name: value.double().numpy() for name, value in network.state_dict().items()}

    @staticmethod
    def conv2d(x: Array, w: Array) -> Array:
        """Of the same size; x (channels, rows, columns), w (out, in, k, k)."""
        edge = w.shape[-1] // 2
        windows = sliding_window_view(np.pad(x, ((0, 0), (edge, edge), (edge, edge))), w.shape[-2:], axis=(1, 2))
        return np.einsum("cijkl,ockl->oij", windows, w)

    @staticmethod
    def conv1d(x: Array, w: Array, *, stride: int = 1, dilation: int = 1) -> Array:
        """x (channels, time), w (out, in, k), padded by half of the kernel's reach."""
        reach = dilation * (w.shape[-1] - 1)
        padded = np.pad(x, ((0, 0), (reach // 2, reach // 2)))
        windows = sliding_window_view(padded, reach + 1, axis=1)[:, ::stride, ::dilation]
        return np.einsum("ctk,ock->ot", windows, w)

    @staticmethod
    def batch_norm(x: Array, w: dict[str, Array], name: str) -> Array:
        """Over the first axis, with the statistics of training."""
        shape = (-1,) + (1,) * (x.ndim - 1)
        mean, variance = w[f"{name}.running_mean"].reshape(shape), w[f"{name}.running_var"].reshape(shape)
        scale, shift = w[f"{name}.weight"].reshape(shape), w[f"{name}.bias"].reshape(shape)
        return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift

    @staticmethod
    def cells(x: Array, rows: int, columns: int) -> Array:
        """Cells of rows x columns on two new last axes; what does not fill a cell is left out."""
        height, width = x.shape[1] // rows, x.shape[2] // columns
        whole = x[:, : height * rows, : width * columns].reshape(len(x), height, rows, width, columns)
        return whole.transpose(0, 1, 3, 2, 4)

    @staticmethod
    def relu(x: Array) -> Array:
        return np.maximum(x, 0)


@pytest.fixture
def spelling() -> type[Spelling]:
    return Spelling


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def heard_alike_alone(embedding: Embedding, clips: torch.Tensor, *, atol: float, rtol: float = 0.0) -> None:
    """A clip has the same features alone and in a batch."""
    alone = torch.cat([embedding.features(clip[None]) for clip in clips])
    torch.testing.assert_close(embedding.features(clips), alone, atol=atol, rtol=rtol)


def channels_averaged(embedding: Embedding, clips: torch.Tensor, *, atol: float, rtol: float = 0.0) -> None:
    """Two channels are heard as their mean is."""
    both = torch.cat([clips + 0.1, clips - 0.1], 1)
    torch.testing.assert_close(embedding.features(both), embedding.features(clips), atol=atol, rtol=rtol)


def layers_of_torchlibrosa(n_fft: int, mel: torch.Tensor) -> dict[str, torch.Tensor]:
    """The STFT as two convolutions and the filters, as released checkpoints hold them."""
    matrix = np.fft.fft(np.eye(n_fft))[: n_fft // 2 + 1] * get_window("hann", n_fft, fftbins=True)
    return {
        "spectrogram_extractor.stft.conv_real.weight": torch.from_numpy(matrix.real).float()[:, None],
        "spectrogram_extractor.stft.conv_imag.weight": torch.from_numpy(matrix.imag).float()[:, None],
        "logmel_extractor.melW": mel,
    }


def clap_model(*, fusion: bool = False, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 32,
        "depths": [2, 2, 2],
        "num_attention_heads": [2, 2, 4],
        "num_hidden_layers": 3,
        "enable_fusion": fusion,
        "fusion_type": "aff_2d" if fusion else None,
        "projection_dim": 24,
    }
    text = {
        "vocab_size": 261,
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 100,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "projection_dim": 24,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=24)
    model = transformers.ClapModel(config).eval()
    # Statistics as of real spectrograms in dB, so that what is heard is neither flat nor saturated.
    model.audio_model.audio_encoder.batch_norm.running_mean.fill_(-20.0)
    model.audio_model.audio_encoder.batch_norm.running_var.fill_(100.0)
    return model


def write_tokenizer(folder: Path) -> None:
    """RoBERTa's files with bytes for words: no merges."""
    from tokenizers.pre_tokenizers import ByteLevel

    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def save_clap(folder: Path, *, fusion: bool = False, **extractor: Any) -> Path:
    clap_model(fusion=fusion).save_pretrained(folder)
    settings = {"frequency_min": 50, "truncation": "fusion" if fusion else "rand_trunc"} | extractor
    transformers.ClapFeatureExtractor(**settings).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


# The parts of a block, as transformers and as LAION call them; written by hand, not taken from the code under test.
BLOCK = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "attention.output.dense": "attn.proj",
    "output.dense": "mlp.fc2",
    "attention.self.relative_position_bias_table": "attn.relative_position_bias_table",
    "attention.self.relative_position_index": "attn.relative_position_index",
}


def laion_state(model: Any) -> dict[str, torch.Tensor]:
    state = dict(model.state_dict())
    renamed = {}
    for name, value in state.items():
        if name.startswith("text_model."):
            new = name.replace("text_model.", "text_branch.")
        elif "_projection." in name:
            new = name.replace("linear1", "0").replace("linear2", "2")
        elif name.startswith("audio_model.audio_encoder."):
            new = name.replace("audio_model.audio_encoder.", "audio_branch.").replace("batch_norm", "bn0")
            head, _, rest = new.partition(".blocks.")
            if rest:
                number, _, inner = rest.partition(".")
                if "attention.self.query" in inner:
                    parts = [state[name.replace("query", part)] for part in ("query", "key", "value")]
                    value, new = torch.cat(parts), f"{head}.blocks.{number}.attn.qkv.{inner.rpartition('.')[2]}"
                elif "attention.self.key" in inner or "attention.self.value" in inner:
                    continue
                else:
                    theirs = next(part for part in BLOCK if inner.startswith(part))
                    new = f"{head}.blocks.{number}.{inner.replace(theirs, BLOCK[theirs], 1)}"
        else:
            new = name
        renamed[f"module.{new}"] = value
    renamed.pop("module.text_branch.embeddings.token_type_ids")  # transformers of 2022 did not save it
    extra = {
        "audio_branch.spectrogram_extractor.stft.conv_real.weight": torch.zeros(3, 1, 4),
        "audio_branch.logmel_extractor.melW": torch.zeros(3, 4),
        "audio_branch.layers.0.blocks.1.attn_mask": torch.zeros(64, 4, 4),
        "audio_branch.tscam_conv.weight": torch.zeros(5, 32, 2, 3),
        "audio_branch.head.weight": torch.zeros(5, 5),
        "audio_transform.sequential.0.weight": torch.zeros(24, 24),
        "text_transform.sequential.0.weight": torch.zeros(24, 24),
    }
    return renamed | {f"module.{name}": value for name, value in extra.items()}


@pytest.fixture(scope="session", name="clap_model")
def _clap_model() -> Callable[..., Any]:
    return clap_model


@pytest.fixture(scope="session", name="save_clap")
def _save_clap() -> Callable[..., Path]:
    return save_clap


@pytest.fixture(scope="session", name="laion_state")
def _laion_state() -> Callable[..., dict[str, torch.Tensor]]:
    return laion_state


@pytest.fixture(scope="session")
def clips() -> torch.Tensor:
    """Two clips of 3 s at 48 kHz that change all the time: noise that swells, and a chirp up or down."""
    noise = torch.randn(2, 1, 144000, generator=torch.Generator().manual_seed(1))
    chirp = torch.sin(torch.linspace(0, 1, 144000) ** 2 * 30000)
    return 0.05 * noise * torch.linspace(0, 1, 144000) + torch.stack([0.3 * chirp, 0.1 * chirp.flip(0)])[:, None]
