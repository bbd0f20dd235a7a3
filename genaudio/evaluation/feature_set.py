"""What an embedding heard in a set of clips: the one thing that metrics compare.

Shapes: features (rows, dimensions), float64, a row for each clip or for each frame of each clip; clip (rows,), the clip
that a row is of; log_probabilities (clips, classes), float64; text (clips, dimensions), float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.frechet import Moments


@dataclass(frozen=True)
class FeatureSet:
    """Features of clips, their classes, and how they were computed.

    Rows stand clip by clip: `clip` never falls, and holds every number from 0 to `clips - 1`. `names` say which clips
    they are, `labels` of which class each is (None: not known). `card` holds facts: the embedding, its fields, the hash
    of its weights, rates. `log_probabilities` are those of an embedding that classifies, over `classes`; `text` is what
    it made of each clip's text, in the space of the features.

    Of a reference that is shipped as statistics there are `moments` alone, and `class_moments` of its classes: the
    features are then `(0, dimensions)`, and there are no clips to choose from.
    """

    features: Tensor
    clip: Tensor
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    log_probabilities: Tensor | None = None
    classes: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    text: Tensor | None = None
    moments: Moments | None = None
    class_moments: Mapping[str, Moments] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        features: Tensor,
        *,
        labels: Sequence[str | None] | None = None,
        log_probabilities: Tensor | None = None,
        classes: Sequence[str] = (),
        card: Mapping[str, Any] | None = None,
        text: Tensor | None = None,
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
            text,
        )

    @classmethod
    def of_moments(
        cls,
        moments: Moments,
        *,
        class_moments: Mapping[str, Moments] | None = None,
        card: Mapping[str, Any] | None = None,
    ) -> FeatureSet:
        """A reference of which only the moments of the features are known, and of those of its classes."""
        return cls(
            torch.empty(0, len(moments.mean), dtype=torch.float64),
            torch.empty(0, dtype=torch.long),
            (),
            (),
            card=dict(card or {}),
            moments=moments,
            class_moments=dict(class_moments or {}),
        )

    @property
    def clips(self) -> int:
        """How many clips there are; none where only moments are."""
        return len(self.names)

    @property
    def found_classes(self) -> tuple[str, ...]:
        """The classes that its clips, or its moments, are of, in order of name."""
        return tuple(sorted({label for label in self.labels if label is not None} | set(self.class_moments)))

    @property
    def per_clip(self) -> Tensor:
        """`(clips, dimensions)`: the mean over each clip's rows."""
        if len(self.features) == self.clips:
            return self.features
        total = torch.zeros(self.clips, self.features.shape[1], dtype=torch.float64)
        total.index_add_(0, self.clip, self.features)
        return total / self.clip.bincount(minlength=self.clips)[:, None]

    def averaged(self) -> FeatureSet:
        """The set with one row a clip, the mean over its rows; itself if that is what it is."""
        if len(self.features) == self.clips:
            return self
        return replace(self, features=self.per_clip, clip=torch.arange(self.clips))

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
            None if self.text is None else self.text[clips],
        )

    def of_class(self, label: str | None) -> FeatureSet:
        """The clips of one class, or its moments."""
        if label is not None and label in self.class_moments:
            return FeatureSet.of_moments(self.class_moments[label], card=self.card)
        return self.select(torch.tensor([n for n, found in enumerate(self.labels) if found == label], dtype=torch.long))
