"""The network of VGGish (Hershey et al. 2017, arXiv 1609.09430; released with AudioSet), up to its embedding.

Shapes: examples (batch, frames, bands) of log-mel; embedding (batch, dimensions).
"""

from __future__ import annotations

from torch import Tensor, nn

FRAMES = 96


class VGGishNetwork(nn.Module):
    """Four groups of 3 x 3 convolutions, each halved by a maximum, and three linear layers: 72.1 million parameters.

    Names of tensors are those of the torch port (`features.0.weight`, …, `embeddings.4.bias`). What comes out is the
    embedding before the last ReLU, as the released network gives it; the port adds that ReLU. `widths`, `hidden` and
    `dimensions` of anything but the default fit no published weights.
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (64, 128, 256, 512), hidden: int = 4096, dimensions: int = 128
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width, repeats in zip(widths, (1, 1, 2, 2), strict=True):
            for _ in range(repeats):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(widths[-1] * (FRAMES // 16) * 4, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, dimensions),
        )

    def forward(self, examples: Tensor) -> Tensor:
        """`(batch, 96, 64)` to `(batch, 128)`."""
        plane = self.features(examples.unsqueeze(1))
        # TensorFlow's order, which the linear layers were trained on: channels last.
        embedding: Tensor = self.embeddings(plane.permute(0, 2, 3, 1).flatten(1))
        return embedding
