"""What a noise level becomes for the network.

Shapes: noise_level (batch,); embedding (batch, size).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Cycles per unit of noise level. ln(sigma) / 4 spans about 3 units, of which the highest resolves a few thousandths;
# the lowest tells levels of up to 1,000 apart (discrete time steps).
_LOWEST, _HIGHEST = 1 / 2048, 8.0


class NoiseEmbedding(nn.Module):
    """Sine and cosine of the noise level at geometrically spaced frequencies, then `layers` linear layers with SiLU.

    The angles are computed in float32 (float64 for a float64 network) whatever the surrounding precision.
    """

    def __init__(self, features: int, size: int, layers: int = 2) -> None:
        super().__init__()
        self.num_frequencies = features // 2
        self.hidden = nn.Linear(2 * self.num_frequencies, size)
        self.deeper = nn.ModuleList(nn.Linear(size, size) for _ in range(layers - 2))
        self.out = nn.Linear(size, size)

    def forward(self, noise_level: Tensor) -> Tensor:
        """`(batch,)` to `(batch, size)`."""
        dtype = torch.promote_types(self.hidden.weight.dtype, torch.float32)
        steps = torch.linspace(0, 1, self.num_frequencies, dtype=dtype, device=noise_level.device)
        frequencies = _LOWEST * (_HIGHEST / _LOWEST) ** steps
        angles = 2 * math.pi * noise_level.to(dtype)[:, None] * frequencies
        features = torch.cat([angles.cos(), angles.sin()], dim=1).to(self.hidden.weight.dtype)
        hidden = nn.functional.silu(self.hidden(features))
        for layer in self.deeper:
            hidden = nn.functional.silu(layer(hidden))
        embedding: Tensor = self.out(hidden)
        return embedding
