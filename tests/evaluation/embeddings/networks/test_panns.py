from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from genaudio.evaluation.embeddings.networks.front_ends import PANNsLogMel
from genaudio.evaluation.embeddings.networks.panns import CNN14, Tagger, WavegramLogmelCNN14

THIN = (2, 3, 4, 4, 5, 6)
Array = NDArray[np.float64]


def blocks(first: dict[int, tuple[int, int]]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of two-convolution blocks by number: channels in and out."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (before, width) in first.items():
        shapes[f"conv_block{number}.conv1.weight"] = (width, before, 3, 3)
        shapes[f"conv_block{number}.conv2.weight"] = (width, width, 3, 3)
    return shapes


def weights_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of all but batch normalisations, which `batch_norms` has."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    return {name: shape for name, shape in shapes.items() if "bn" not in name}


def batch_norms(network: nn.Module) -> dict[str, int]:
    return {
        name.removesuffix(".running_mean"): len(value)
        for name, value in network.state_dict().items()
        if name.endswith(".running_mean")
    }


TRUNK = {3: (128, 256), 4: (256, 512), 5: (512, 1024), 6: (1024, 2048)}
HEAD: dict[str, tuple[int, ...]] = {
    "fc1.weight": (2048, 2048),
    "fc1.bias": (2048,),
    "fc_audioset.weight": (527, 2048),
    "fc_audioset.bias": (527,),
}


def test_cnn14_has_the_tensors_and_the_size_that_were_published() -> None:
    with torch.device("meta"):
        network = CNN14()
    assert weights_of(network) == blocks({1: (1, 64), 2: (64, 128), **TRUNK}) | HEAD
    sizes = {1: 64, 2: 128, 3: 256, 4: 512, 5: 1024, 6: 2048}
    expected = {f"conv_block{n}.bn{k}": width for n, width in sizes.items() for k in (1, 2)}
    assert batch_norms(network) == {"bn0": 64, **expected}
    assert sum(value.numel() for value in network.parameters()) == 80_753_615  # Kong et al. 2020


def test_wavegram_logmel_cnn14_has_the_tensors_and_the_size_that_were_published() -> None:
    with torch.device("meta"):
        network = WavegramLogmelCNN14()
    wave = {
        "pre_conv0.weight": (64, 1, 11),
        "pre_block1.conv1.weight": (64, 64, 3),
        "pre_block1.conv2.weight": (64, 64, 3),
        "pre_block2.conv1.weight": (128, 64, 3),
        "pre_block2.conv2.weight": (128, 128, 3),
        "pre_block3.conv1.weight": (128, 128, 3),
        "pre_block3.conv2.weight": (128, 128, 3),
        "pre_block4.conv1.weight": (64, 4, 3, 3),
        "pre_block4.conv2.weight": (64, 64, 3, 3),
    }
    assert weights_of(network) == blocks({1: (1, 64), 2: (128, 128), **TRUNK}) | HEAD | wave
    assert batch_norms(network).items() >= {"pre_bn0": 64, "pre_block3.bn2": 128, "pre_block4.bn1": 64}.items()
    assert sum(value.numel() for value in network.parameters()) == 81_065_487  # Kong et al. 2020


def spelled_block(s: Any, x: Array, w: dict[str, Array], name: str, rows: int, columns: int) -> Array:
    for k in (1, 2):
        x = s.relu(s.batch_norm(s.conv2d(x, w[f"{name}.conv{k}.weight"]), w, f"{name}.bn{k}"))
    return s.cells(x, rows, columns).mean((-2, -1))


def spelled_wave_plane(s: Any, audio: Array, w: dict[str, Array]) -> Array:
    x = s.relu(s.batch_norm(s.conv1d(audio[None], w["pre_conv0.weight"], stride=5), w, "pre_bn0"))
    for name in ("pre_block1", "pre_block2", "pre_block3"):
        for k in (1, 2):
            x = s.relu(s.batch_norm(s.conv1d(x, w[f"{name}.conv{k}.weight"], dilation=k), w, f"{name}.bn{k}"))
        x = s.cells(x[:, None], 1, 4).max((-2, -1))[:, 0]
    plane = np.stack([x[32 * k : 32 * (k + 1)].T for k in range(len(x) // 32)])  # (k, time, 32)
    return spelled_block(s, plane, w, "pre_block4", 2, 1)


def spelled_planes(s: Any, w: dict[str, Array], log_mel: Array, audio: Array) -> Array:
    x = s.batch_norm(log_mel.T, w, "bn0").T[None]
    x = spelled_block(s, x, w, "conv_block1", 2, 2)
    if "pre_conv0.weight" in w:
        plane = spelled_wave_plane(s, audio, w)
        steps = min(x.shape[1], plane.shape[1])
        x = np.concatenate([x[:, :steps], plane[:, :steps]])
    return x


def spelled(s: Any, w: dict[str, Array], x: Array) -> tuple[Array, Array]:
    for number in (2, 3, 4, 5):
        x = spelled_block(s, x, w, f"conv_block{number}", 2, 2)
    x = spelled_block(s, x, w, "conv_block6", 1, 1).mean(2)
    features = s.relu(w["fc1.weight"] @ (x.max(1) + x.mean(1)) + w["fc1.bias"])
    return features, w["fc_audioset.weight"] @ features + w["fc_audioset.bias"]


@pytest.mark.parametrize(
    "network", [CNN14(THIN, 7), WavegramLogmelCNN14(THIN, 7, (4, 64))], ids=lambda network: type(network).__name__
)
@pytest.mark.parametrize("length", [32000, 320 * 67 + 11])
def test_the_network_is_its_second_spelling(network: Tagger, length: int, spelling: Any) -> None:
    """The second length gives the two planes of Wavegram-Logmel-CNN14 different numbers of steps."""
    spelling.randomised(network)
    audio = 0.3 * torch.randn(2, length, generator=torch.Generator().manual_seed(1))
    log_mel = PANNsLogMel(32000, 1024, 320, 14000.0)(audio)
    features, logits = network(log_mel, audio)
    planes, w = network.planes(log_mel, audio), spelling.weights(network)
    for item in range(2):
        both = spelled_planes(spelling, w, log_mel[item].double().numpy(), audio[item].double().numpy())
        assert (both.std((1, 2)) > 0.01).any()
        np.testing.assert_allclose(planes[item].detach().numpy(), both, rtol=1e-3, atol=1e-4)
        expected = spelled(spelling, w, both)
        assert (expected[0] > 0).any()
        np.testing.assert_allclose(features[item].detach().numpy(), expected[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(logits[item].detach().numpy(), expected[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", [CNN14(THIN, 7), WavegramLogmelCNN14(THIN, 7, (4, 64))], ids=["plain", "wavegram"])
def test_the_shortest_clip_is_heard_and_a_shorter_one_cannot_be(network: Tagger) -> None:
    front, shortest = PANNsLogMel(32000, 1024, 320, 14000.0), network.shortest(320)
    network.eval()
    audio = torch.randn(1, shortest)
    assert network(front(audio), audio)[0].isfinite().all()
    with pytest.raises(RuntimeError, match="too small"):
        network(front(audio[:, 1:]), audio[:, 1:])
