"""Normalisation of feature maps.

Shapes: x (batch, channels, freq, time).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

NormName = Literal["group", "rms"]


class ChannelRMSNorm(nn.Module):
    """Divides each position by the root mean square over its channels: no statistics over the plane."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # Channels last: rms_norm over the last axis reads memory in order.
        x = x.permute(0, 2, 3, 1)
        x = nn.functional.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.eps)
        return x.permute(0, 3, 1, 2)


def norm(name: NormName, channels: int, groups: int) -> nn.Module:
    """The normalisation that a network's field `norm` names."""
    return nn.GroupNorm(groups, channels) if name == "group" else ChannelRMSNorm(channels)
