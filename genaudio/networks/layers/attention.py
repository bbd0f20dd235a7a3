"""Self-attention over all positions of a feature map.

Shapes: x (batch, channels, freq, time).
"""

from __future__ import annotations

from torch import Tensor, nn

from genaudio.networks.layers.norm import NormName, norm


class AttentionBlock(nn.Module):
    """Multi-head self-attention, then a two-layer perceptron, each a residual branch that starts at 0.

    Attention is torch's scaled-dot-product attention: cost is quadratic in freq * time, memory linear.
    """

    def __init__(
        self, channels: int, *, heads: int, feed_forward: int = 2, norm_name: NormName = "group", groups: int = 8
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = norm(norm_name, channels, groups)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)
        self.norm2 = norm(norm_name, channels, groups)
        self.hidden = nn.Linear(channels, feed_forward * channels)
        self.mix = nn.Linear(feed_forward * channels, channels)
        for layer in (self.out, self.mix):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with what each position gathers from all others."""
        batch, channels, freq, time = x.shape
        tokens = self.norm1(x).permute(0, 2, 3, 1).reshape(batch, freq * time, channels)
        qkv = self.qkv(tokens).view(batch, freq * time, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (batch, heads, positions, channels / heads)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        attended = self.out(attended.transpose(1, 2).reshape(batch, freq, time, channels))
        x = x + attended.permute(0, 3, 1, 2)
        hidden = nn.functional.gelu(self.hidden(self.norm2(x).permute(0, 2, 3, 1)))
        result: Tensor = x + self.mix(hidden).permute(0, 3, 1, 2)
        return result
