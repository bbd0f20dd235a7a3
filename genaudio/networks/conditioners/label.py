"""A learned vector for each class.

Shapes: labels (batch,), int64, -1 for "dropped"; condition (batch, size).
"""

from __future__ import annotations

from torch import Tensor, nn

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.networks.conditioners.base import DROPPED, Conditioner


class Label(Conditioner):
    """One learned vector a class, and one more for "no class"."""

    embedding_size: int = parameter(256, ge=1, description="Size of the vector of a class")

    @property
    def size(self) -> int:
        """Size of the condition vector."""
        return self.embedding_size

    def build(self, num_classes: int) -> nn.Module:
        """A module with `forward(labels) -> condition`; raises `GenaudioError` for a dataset without classes."""
        if num_classes < 1:
            raise GenaudioError(
                "a label conditioner for a dataset without classes",
                expected="at least 1 class",
                mend="remove the block `conditioner`, or take a dataset with classes",
            )
        return _LabelEmbedding(num_classes, self.embedding_size)


class _LabelEmbedding(nn.Module):
    def __init__(self, num_classes: int, size: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        # Row 0 is the vector of a dropped label, row k + 1 that of class k.
        self.embedding = nn.Embedding(num_classes + 1, size)

    def forward(self, labels: Tensor) -> Tensor:
        vectors: Tensor = self.embedding(labels - DROPPED)
        return vectors
