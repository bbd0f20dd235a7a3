"""Forward and training step of the Efficient U-Net's presets on the CPU.

    OMP_NUM_THREADS=2 pytest benchmarks/networks --benchmark-enable --benchmark-only --benchmark-columns=min,median

`-k "tiny and bf16"` selects; the published network (`edmsound`) is left to a GPU.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genaudio.networks.efficient_unet import EfficientUNet

_SHAPES = {"2x128x128, batch 16": (16, 2, 128, 128), "2x256x128, batch 8": (8, 2, 256, 128)}


def _network(preset: str, shape: tuple[int, int, int], *, bf16: bool) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    torch.manual_seed(0)
    network = EfficientUNet(preset=preset).build(shape, None)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            output: Tensor = network(x, torch.zeros(x.shape[0]), None)
        return output.float()

    return network, forward


@pytest.mark.parametrize("preset", ["tiny", "small", "base"])
@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES)
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])
@pytest.mark.parametrize("what", ["forward", "train"])
def test_efficient_unet(benchmark, preset: str, shape: tuple[int, ...], bf16: bool, what: str) -> None:
    network, forward = _network(preset, shape[1:], bf16=bf16)
    x = torch.randn(shape)

    def train() -> None:
        (forward(x) - x).square().mean().backward()
        for parameter in network.parameters():
            parameter.grad = None

    def sample() -> None:
        with torch.inference_mode():
            forward(x)

    benchmark.group = f"{what}, {shape[1]}x{shape[2]}x{shape[3]}, batch {shape[0]}"
    benchmark.pedantic(train if what == "train" else sample, rounds=3, iterations=1, warmup_rounds=1)
