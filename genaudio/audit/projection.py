"""A small network behind an embedding, tuned so that what differs between clips of one class counts for more.

Shapes: features (rows, dimensions); projected (rows, 128), of length 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.carded_network import load_network, save_network, weights_of
from genaudio.evaluation.feature_set import FeatureSet

FORMAT = 1
WIDTH = 128
_NAME = "projection"  # of its files
# The facts of an embedding that a projection is bound to.
_BOUND = ("embedding", "embedding_fields", "weights_sha256", "config_sha256")


class Projection(nn.Module):
    """Two linear layers with a rectifier and dropout between them, then length 1: dimensions-128-128.

    Source: the tuned CLAP of EDMSound (arXiv 2311.08667), whose public code has these widths and a dropout of 0.05.
    `facts` say which embedding it is for and how it was trained.
    """

    def __init__(self, dimensions: int, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.facts = dict(facts or {})
        self.layers = nn.Sequential(nn.Linear(dimensions, WIDTH), nn.ReLU(), nn.Dropout(0.05), nn.Linear(WIDTH, WIDTH))

    def forward(self, features: Tensor) -> Tensor:
        """`(…, dimensions)` to `(…, 128)`."""
        return nn.functional.normalize(self.layers(features), dim=-1)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights as `save` writes them."""
        return hashlib.sha256(weights_of(self)).hexdigest()

    @torch.inference_mode()
    def project(self, features: FeatureSet) -> FeatureSet:
        """The set with projected rows; raises `GenaudioError` for another embedding than it was trained on."""
        for key in _BOUND:
            if features.card.get(key) != self.facts.get(key, features.card.get(key)):
                raise GenaudioError(
                    f"features with {key} {features.card.get(key)}",
                    expected=f"{self.facts[key]}, which the projection was trained on",
                    mend="embed with that, or train a projection of this embedding",
                )
        if features.features.shape[1] != self.dimensions:
            raise GenaudioError(f"features of {features.features.shape[1]}", expected=f"{self.dimensions} dimensions")
        self.eval()
        device = next(self.parameters()).device
        rows = self(features.features.float().to(device)).double().cpu()
        return replace(features, features=rows, card=dict(features.card) | {"tuned_sha256": self.weights_sha256})

    def save(self, folder: Path) -> None:
        """Write `projection.safetensors` and its card `projection.json`."""
        save_network(self, folder, _NAME, FORMAT, {"dimensions": self.dimensions, "facts": self.facts})

    @classmethod
    def load(cls, folder: Path) -> Projection:
        """What `save` wrote; raises `GenaudioError` where the files do not belong together."""
        mend = "train the projection and save it again"
        return load_network(lambda card: cls(card["dimensions"], card["facts"]), folder, _NAME, FORMAT, mend)[0]
