"""What an embedding heard in a set of clips: the one thing that metrics compare.

Shapes: features (rows, dimensions), float64, a row for each clip or for each frame of each clip; clip (rows,), the clip
that a row is of; log_probabilities (clips, classes), float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError


@dataclass(frozen=True)
class FeatureSet:
    """Features of clips, their classes, and how they were computed.

    Rows stand clip by clip: `clip` never falls, and holds every number from 0 to `clips - 1`. `names` say which clips
    they are, `labels` of which class each is (None: not known). `card` holds facts: the embedding, its fields, the hash
    of its weights, rates. `log_probabilities` are those of an embedding that classifies, over `classes`.
    """

    features: Tensor
    clip: Tensor
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    log_probabilities: Tensor | None = None
    classes: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        features: Tensor,
        *,
        labels: Sequence[str | None] | None = None,
        log_probabilities: Tensor | None = None,
        classes: Sequence[str] = (),
        card: Mapping[str, Any] | None = None,
    ) -> FeatureSet:
        """A set with one row a clip, `(clips, dimensions)`, or as many rows for each, `(clips, frames, dimensions)`."""
        if features.ndim not in (2, 3):
            raise GenaudioError(
                f"features {tuple(features.shape)}", expected="(clips, dimensions) or (clips, frames, dimensions)"
            )
        clips, frames = len(features), 1 if features.ndim == 2 else features.shape[1]
        return cls(
            features.reshape(clips * frames, -1).double(),
            torch.arange(clips).repeat_interleave(frames),
            tuple(str(number) for number in range(clips)),
            tuple(labels) if labels is not None else (None,) * clips,
            log_probabilities,
            tuple(classes),
            dict(card or {}),
        )

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return len(self.names)

    @property
    def per_clip(self) -> Tensor:
        """`(clips, dimensions)`: the mean over each clip's rows."""
        if len(self.features) == self.clips:
            return self.features
        total = torch.zeros(self.clips, self.features.shape[1], dtype=torch.float64)
        total.index_add_(0, self.clip, self.features)
        return total / self.clip.bincount(minlength=self.clips)[:, None]

    def select(self, clips: Tensor) -> FeatureSet:
        """The set of these clips, `(n,)` of their numbers; one that is named twice counts twice."""
        counts = self.clip.bincount(minlength=self.clips)
        starts = counts.cumsum(0) - counts
        chosen = counts[clips]
        first = (starts[clips] - (chosen.cumsum(0) - chosen)).repeat_interleave(chosen)
        rows = first + torch.arange(len(first))
        numbers = clips.tolist()
        return FeatureSet(
            self.features[rows],
            torch.arange(len(clips)).repeat_interleave(chosen),
            tuple(self.names[number] for number in numbers),
            tuple(self.labels[number] for number in numbers),
            None if self.log_probabilities is None else self.log_probabilities[clips],
            self.classes,
            self.card,
        )

    def of_class(self, label: str | None) -> FeatureSet:
        """The clips of one class."""
        return self.select(torch.tensor([n for n, found in enumerate(self.labels) if found == label], dtype=torch.long))
