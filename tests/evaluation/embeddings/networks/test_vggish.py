from __future__ import annotations

from typing import Any

import numpy as np
import torch

from genaudio.evaluation.embeddings.networks.vggish import VGGishNetwork


def test_names_and_shapes_are_those_of_the_torch_port() -> None:
    with torch.device("meta"):
        network = VGGishNetwork()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == {
        "features.0.weight": (64, 1, 3, 3),
        "features.0.bias": (64,),
        "features.3.weight": (128, 64, 3, 3),
        "features.3.bias": (128,),
        "features.6.weight": (256, 128, 3, 3),
        "features.6.bias": (256,),
        "features.8.weight": (256, 256, 3, 3),
        "features.8.bias": (256,),
        "features.11.weight": (512, 256, 3, 3),
        "features.11.bias": (512,),
        "features.13.weight": (512, 512, 3, 3),
        "features.13.bias": (512,),
        "embeddings.0.weight": (4096, 12288),
        "embeddings.0.bias": (4096,),
        "embeddings.2.weight": (4096, 4096),
        "embeddings.2.bias": (4096,),
        "embeddings.4.weight": (128, 4096),
        "embeddings.4.bias": (128,),
    }


def test_the_network_is_its_second_spelling(spelling: Any) -> None:
    """Convolutions, maxima, and linear layers that read the plane in TensorFlow's order: time, band, channel."""
    network = spelling.randomised(VGGishNetwork((2, 3, 4, 5), hidden=9, dimensions=6))
    w = spelling.weights(network)
    examples = torch.randn(2, 96, 64, generator=torch.Generator().manual_seed(1))
    for example, found in zip(examples.double().numpy(), network(examples).detach().numpy(), strict=True):
        x = example[None]
        for group in ((0,), (3,), (6, 8), (11, 13)):
            for number in group:
                bias = w[f"features.{number}.bias"][:, None, None]
                x = spelling.relu(spelling.conv2d(x, w[f"features.{number}.weight"]) + bias)
            x = spelling.cells(x, 2, 2).max((-2, -1))
        assert x.shape == (5, 6, 4)
        flat = np.array([x[channel, time, band] for time in range(6) for band in range(4) for channel in range(5)])
        for number in (0, 2):
            flat = spelling.relu(w[f"embeddings.{number}.weight"] @ flat + w[f"embeddings.{number}.bias"])
        expected = w["embeddings.4.weight"] @ flat + w["embeddings.4.bias"]
        assert (expected < 0).any()  # no ReLU at the end
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
