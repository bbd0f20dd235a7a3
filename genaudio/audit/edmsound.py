"""EDMSound's measure of copying: are generated clips nearer to training clips than those are to one another?

Source: Zhu, Wen, Carbonneau and Duan 2023, arXiv 2311.08667, and its authors' public code. A clip is one vector, or one
for each window; the likeness of two clips is the largest cosine over pairs of their windows. Each generated clip keeps
the training clip of its class that is most like it, each training clip the other one that is most like it. The
statistic is the 95th percentile of the former likenesses minus that of the latter. It says whether a set leans towards
copies; which clip is one it does not say.

Shapes: scores (clips,), float64 cosines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genaudio.audit.search import Backend, Rows, nearest
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet

PERCENTILE = 0.95
# Below 20 clips the 95th percentile is set by the largest score alone: such a class has no statistic of its own.
FEWEST = 20


@dataclass(frozen=True)
class Likeness:
    """The training clip that each clip of a set is most like.

    `scores` hold the cosine, `clip` the number of the training clip, `window` the numbers of the two windows within
    their clips, `(clips, 2)`: this clip's and the training clip's. Where there is no training clip to compare with
    the score is -inf and the numbers are -1.
    """

    scores: Tensor
    clip: Tensor
    window: Tensor
    labels: tuple[str | None, ...]

    def of(self, label: str | None) -> Tensor:
        """The finite scores, of one class or, for None, of all."""
        chosen = torch.tensor([label is None or found == label for found in self.labels], dtype=torch.bool)
        return self.scores[chosen & self.scores.isfinite()]


@dataclass(frozen=True)
class Statistic:
    """p95(generated to training) - p95(training to training), with a bootstrap interval; above 0 means nearer copies.

    `value` and `interval` are None where either side has fewer than 20 clips, and `limit` says so.
    """

    generated: int
    training: int
    generated_p95: float | None = None
    training_p95: float | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    limit: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        found = {name: value for name, value in vars(self).items() if value is not None}
        return found | ({"interval": list(self.interval)} if self.interval is not None else {})


@dataclass(frozen=True)
class EDMSoundResult:
    """The statistic overall and by class, and the likenesses that it is from. `card` says how it was computed."""

    overall: Statistic
    by_class: Mapping[str, Statistic]
    generated: Likeness
    training: Likeness
    generated_names: tuple[str, ...]
    training_names: tuple[str, ...]
    card: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain data: statistics, card, and for each generated clip its training clip, score and windows."""
        found = self.generated
        nearest_clips = [
            {"generated": name, "training": self.training_names[clip], "score": score, "windows": windows}
            for name, clip, score, windows in zip(
                self.generated_names, found.clip.tolist(), found.scores.tolist(), found.window.tolist(), strict=True
            )
            if clip >= 0
        ]
        return {
            "overall": self.overall.as_json(),
            "by_class": {label: one.as_json() for label, one in self.by_class.items()},
            "nearest": nearest_clips,
            "card": dict(self.card),
        }


def edmsound(
    generated: FeatureSet,
    training: FeatureSet,
    *,
    draws: int = 1000,
    coverage: float = 0.95,
    seed: int = 0,
    block: int = 8192,
    device: str = "cpu",
    backend: Backend = "exact",
) -> EDMSoundResult:
    """The protocol on what an embedding heard in both sets (`windows.embed_windows`), one row a window.

    Where a clip of either set has no class, or no class is in common, classes count for nothing: every clip meets every
    other, and the statistic is overall. A class that only one side has takes no part on the generated side, and the
    card names it. The interval holds the share `coverage` of `draws` bootstrap draws of the clips on both sides; the
    likeness of a clip stays as it was found. Raises `GenaudioError` if the sets were embedded in different ways, or too
    few clips can be compared.
    """
    for key in sorted(_COMPARED):
        if generated.card.get(key) != training.card.get(key):
            raise GenaudioError(
                f"generated clips with {key} {generated.card.get(key)}, training clips with {training.card.get(key)}",
                expected="both embedded in the same way",
            )
    there, here = set(training.labels), set(generated.labels)
    labelled = None not in here | there and bool(here & there)
    classes = sorted({str(label) for label in here & there}) if labelled else []
    options: dict[str, Any] = {"block": block, "device": device, "backend": backend, "by_class": labelled}
    to_training = likeness(generated, training, **options)
    among = likeness(training, training, same=True, **options)
    # Training clips of a class that was not generated would shift the percentile that generated ones are held against.
    compared = Likeness(
        torch.where(_among(among.labels, classes), among.scores, -torch.inf) if labelled else among.scores,
        among.clip,
        among.window,
        among.labels,
    )
    overall = _statistic(to_training.of(None), compared.of(None), draws, coverage, seed)
    if overall.value is None:
        raise GenaudioError(
            f"{overall.generated} generated and {overall.training} training clips that can be compared",
            expected=f"at least {FEWEST} of each, for a 95th percentile",
            mend="generate more clips, with labels that the training clips have",
        )
    by_class = {
        label: _statistic(to_training.of(label), compared.of(label), draws, coverage, seed) for label in classes
    }
    card = dict(training.card) | {
        "protocol": "EDMSound, arXiv 2311.08667",
        "percentile": PERCENTILE,
        "same_class": labelled,
        "classes_only_generated": sorted(map(str, here - there)) if labelled else [],
        "classes_only_training": sorted(map(str, there - here)) if labelled else [],
        "generated_clips": generated.clips,
        "training_clips": training.clips,
        "search": backend,
        "bootstrap": {"draws": draws, "coverage": coverage, "seed": seed},
    }
    return EDMSoundResult(overall, by_class, to_training, compared, generated.names, training.names, card)


# What must be the same of both sets: of all facts of an embedding those that change its features.
_COMPARED = frozenset(
    {"embedding", "embedding_fields", "weights_sha256", "config_sha256", "audit_window", "tuned_sha256"}
)


def likeness(
    clips: FeatureSet,
    training: FeatureSet,
    *,
    same: bool = False,
    by_class: bool = True,
    block: int = 8192,
    device: str = "cpu",
    backend: Backend = "exact",
) -> Likeness:
    """The training clip that each clip is most like: of its class, and other than itself where the sets are the `same`.

    The first of equally likely windows and clips counts.
    """
    numbers = {label: number for number, label in enumerate(dict.fromkeys((*clips.labels, *training.labels)))}

    def rows(part: FeatureSet) -> Rows:
        group = torch.tensor([numbers[label] for label in part.labels], dtype=torch.long)[part.clip]
        return Rows(part.features.float(), part.clip if same else None, group if by_class else None)

    found = nearest(rows(clips), rows(training), block=block, device=device, backend=backend)
    score, row = found.scores[:, 0], found.indices[:, 0]
    # The best window of each clip: a stable sort by score, then by clip, puts it first among the clip's own.
    order = score.sort(descending=True, stable=True).indices
    order = order[clips.clip[order].sort(stable=True).indices]
    counts = clips.clip.bincount(minlength=clips.clips)
    best = order[counts.cumsum(0) - counts]
    key = row[best]
    other = torch.where(key < 0, -1, training.clip[key.clamp_min(0)])
    window = torch.stack([best - _first(clips)[clips.clip[best]], key - _first(training)[other.clamp_min(0)]], 1)
    window[key < 0] = -1
    return Likeness(score[best], other, window, clips.labels)


def _first(rows: FeatureSet) -> Tensor:
    """The first row of each clip."""
    counts = rows.clip.bincount(minlength=rows.clips)
    return counts.cumsum(0) - counts


def _among(labels: Sequence[str | None], classes: Sequence[str]) -> Tensor:
    return torch.tensor([label in classes for label in labels], dtype=torch.bool)


def _statistic(generated: Tensor, training: Tensor, draws: int, coverage: float, seed: int) -> Statistic:
    counts = len(generated), len(training)
    if min(counts) < FEWEST:
        return Statistic(*counts, limit=f"fewer than {FEWEST} clips on a side: no 95th percentile")
    above, among = float(generated.quantile(PERCENTILE)), float(training.quantile(PERCENTILE))
    interval = _interval(generated, training, draws, coverage, seed)
    return Statistic(*counts, above, among, above - among, interval)


def _interval(
    generated: Tensor, training: Tensor, draws: int, coverage: float, seed: int
) -> tuple[float, float] | None:
    """Percentiles of the statistic over draws of as many clips, with replacement, on each side by itself."""
    if not draws:
        return None
    generator = torch.Generator().manual_seed(seed)

    def drawn(scores: Tensor) -> Tensor:
        picked = [torch.randint(len(scores), (len(scores),), generator=generator) for _ in range(draws)]
        return torch.stack([scores[one].quantile(PERCENTILE) for one in picked])

    differences = drawn(generated) - drawn(training)
    tail = (1 - coverage) / 2
    return float(differences.quantile(tail)), float(differences.quantile(1 - tail))
