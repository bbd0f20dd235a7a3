"""What an embedding hears in whole clips, so that their cosine says how like they are.

Shapes: training (clips, dimensions), of norm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import AudioClip
from genaudio.evaluation.embeddings.base import Embedding


class ClipEmbedder:
    """Mean features of a clip, less the mean of all training clips, to norm 1: a cosine of 0 is "as like as any"."""

    def __init__(
        self, embedding: Embedding, clips: Sequence[AudioClip], device: torch.device, progress: Progress
    ) -> None:
        self._embedding, self._device = embedding, device
        progress.start("embedding of the training clips", len(clips), unit="clips")
        rows = []
        for done, clip in enumerate(clips, 1):
            rows.append(self._features(clip))
            progress.update(done)
        progress.finish()
        features = torch.stack(rows)
        self._mean = features.mean(0)
        self.training = torch.nn.functional.normalize(features - self._mean, dim=1)

    def __call__(self, clip: AudioClip) -> Tensor:
        """`(dimensions,)`, of norm 1."""
        return torch.nn.functional.normalize(self._features(clip) - self._mean, dim=0)

    @property
    def card(self) -> dict[str, Any]:
        """The embedding's class, fields and weights."""
        return {
            "class": type(self._embedding).__name__,
            "fields": self._embedding.model_dump(mode="json"),
            "weights_sha256": self._embedding.weights_sha256,
            "sample_rate": self._embedding.sample_rate,
        }

    def _features(self, clip: AudioClip) -> Tensor:
        waveform = clip.read(self._embedding.sample_rate)[None].to(self._device)
        return self._embedding.features(waveform)[0].mean(0).float()
