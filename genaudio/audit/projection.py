"""A small network behind an embedding, tuned so that what differs between clips of one class counts for more.

Shapes: features (rows, dimensions); projected (rows, 128), of length 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.files import atomic_file, sha256, write_json
from genaudio.evaluation.feature_set import FeatureSet

FORMAT = 1
WIDTH = 128
_WEIGHTS, _CARD = "projection.safetensors", "projection.json"
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
        return hashlib.sha256(as_bytes(self._weights())).hexdigest()

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
        weights = folder / _WEIGHTS
        with atomic_file(weights) as partial:
            partial.write_bytes(as_bytes(self._weights()))
        card = {"format": FORMAT, "dimensions": self.dimensions, "sha256": sha256(weights), "facts": self.facts}
        write_json(folder / _CARD, card)

    @classmethod
    def load(cls, folder: Path) -> Projection:
        """What `save` wrote; raises `GenaudioError` where the files do not belong together."""
        card_path, weights = folder / _CARD, folder / _WEIGHTS
        mend = "train the projection and save it again"
        try:
            card = json.loads(card_path.read_text(encoding="utf-8"))
            version, recorded = card["format"], card["sha256"]
            projection = cls(card["dimensions"], card["facts"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GenaudioError(f"{card_path} cannot be read: {error!r}", expected="its card", mend=mend) from error
        if version != FORMAT:
            raise GenaudioError(f"{card_path} has the format {version}", expected=f"format {FORMAT}", mend=mend)
        try:
            found = sha256(weights)
            if found != recorded:
                raise GenaudioError(
                    f"{weights} has the SHA-256 {found[:12]}…", expected=f"{recorded[:12]}… as its card says", mend=mend
                )
            projection.load_state_dict(load_file(weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise GenaudioError(f"{weights} cannot be read: {error}", expected="its weights", mend=mend) from error
        projection.eval()
        return projection

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
