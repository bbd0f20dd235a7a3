"""Candidates for the layers that every block pays for, forward and backward, channels-last.

OMP_NUM_THREADS=2 pytest benchmarks/networks/test_layers.py --benchmark-enable --benchmark-columns=min,median
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genaudio.networks.layers.convolution import Pointwise
from genaudio.networks.layers.norm import ChannelLayerNorm

_LAYERS = {
    "group norm": lambda channels: nn.GroupNorm(8, channels),
    "layer norm over channels": ChannelLayerNorm,
    "1x1 convolution": lambda channels: nn.Conv2d(channels, channels, 1),
    "pointwise": lambda channels: Pointwise(channels, channels),
    "3x3 convolution": lambda channels: nn.Conv2d(channels, channels, 3, padding=1),
}


@pytest.mark.parametrize("name", _LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bf16"])
@pytest.mark.parametrize("shape", [(16, 32, 64, 64), (16, 96, 32, 32)], ids=["32x64x64", "96x32x32"])
def test_layer(benchmark, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    layer = _LAYERS[name](shape[1])
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            layer(x.to(dtype)).float().sum().backward()

    benchmark.group = f"{shape}, {dtype}"
    benchmark.pedantic(step, rounds=10, iterations=1, warmup_rounds=2)
