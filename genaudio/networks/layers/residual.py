"""The residual block of the U-Net.

Shapes: x (batch, in_channels, freq, time) to (batch, out_channels, freq, time); embedding (batch, size).
"""

from __future__ import annotations

from torch import Tensor, nn

from genaudio.networks.layers.convolution import Pointwise, convolution
from genaudio.networks.layers.norm import NormName, norm


class GlobalContext(nn.Module):
    """A gate in (0, 1) for each channel, from its mean under a learned attention map (arXiv 1904.11492)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key = Pointwise(channels, 1)
        self.squeeze = nn.Linear(channels, max(4, channels // 2))
        self.excite = nn.Linear(max(4, channels // 2), channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, channels, freq, time)` to the gate, `(batch, channels, 1, 1)`."""
        weights = self.key(x).flatten(2).softmax(-1)  # (batch, 1, freq * time)
        context = weights @ x.permute(0, 2, 3, 1).flatten(1, 2).to(weights.dtype)  # (batch, 1, channels)
        gate: Tensor = self.excite(nn.functional.silu(self.squeeze(context[:, 0]))).sigmoid()
        return gate[:, :, None, None]


class ResidualBlock(nn.Module):
    """Twice norm, SiLU and 3x3 convolution; the embedding scales and shifts after the second norm.

    The second convolution starts at 0, so that a fresh block passes its input on.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        embedding_size: int,
        *,
        norm_name: NormName = "group",
        groups: int = 8,
        global_context: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = norm(norm_name, in_channels, groups)
        self.conv1 = convolution(in_channels, out_channels)
        self.modulation = nn.Linear(embedding_size, 2 * out_channels)
        self.norm2 = norm(norm_name, out_channels, groups)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = convolution(out_channels, out_channels, zero=True)
        self.context = GlobalContext(out_channels) if global_context else None
        self.shortcut = Pointwise(in_channels, out_channels) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """`x` on its way past the two convolutions, plus their result."""
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        scale, shift = self.modulation(nn.functional.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h)
        h = nn.functional.silu(h * (1 + scale).to(h.dtype) + shift.to(h.dtype))
        h = self.conv2(self.dropout(h))
        if self.context is not None:
            h = h * self.context(h).to(h.dtype)
        out: Tensor = h + self.shortcut(x)
        return out
