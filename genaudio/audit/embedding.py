"""What an embedding hears in whole clips, so that their cosine says how like they are.

Shapes: training and heard (clips, dimensions), of norm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import AudioClip
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding

_AT_ONCE = 1024  # clips whose frames are in memory together


class ClipEmbedder:
    """Mean features of a clip, less the mean of all training clips, to norm 1: a cosine of 0 is "as like as any".

    With `cache`, the folder of caches, every clip is heard once; `name` is the embedding's, as caches know it.
    """

    def __init__(
        self,
        embedding: Embedding,
        name: str,
        clips: Sequence[AudioClip],
        device: torch.device,
        *,
        cache: Path | None,
        progress: Progress,
    ) -> None:
        self._embedding, self._name, self._device = embedding, name, device
        self._cache, self._progress = cache, progress
        features = self._features(clips)
        self._mean = features.mean(0)
        self.training = torch.nn.functional.normalize(features - self._mean, dim=1)

    def __call__(self, clips: Sequence[AudioClip]) -> Tensor:
        """What is heard in each clip; raises `DataError` naming those that cannot be read or embedded."""
        return torch.nn.functional.normalize(self._features(clips) - self._mean, dim=1)

    @property
    def card(self) -> dict[str, Any]:
        """The embedding's class, fields and weights."""
        return {
            "class": type(self._embedding).__name__,
            "fields": self._embedding.model_dump(mode="json"),
            "weights_sha256": self._embedding.weights_sha256,
            "sample_rate": self._embedding.sample_rate,
        }

    def _features(self, clips: Sequence[AudioClip]) -> Tensor:
        sets = [ClipSet(Path(), tuple(clips[start : start + _AT_ONCE])) for start in range(0, len(clips), _AT_ONCE)]
        return torch.cat([self._heard(one) for one in sets]).float()

    def _heard(self, clips: ClipSet) -> Tensor:
        options: dict[str, Any] = {"device": self._device, "cache": self._cache, "progress": self._progress}
        return clip_features(self._embedding, self._name, clips, **options).per_clip
