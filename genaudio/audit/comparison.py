"""One clip against all training clips: how much of it each covers, and where the likeliest run like it.

Shapes: nearest (patches, training clips); rankings (training clips,).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.audit.alignment import Alignment, Stretch
from genaudio.audit.hearing import SecondHearing
from genaudio.audit.library import PatchLibrary
from genaudio.audit.patches import SILENT
from genaudio.audit.sound import Sound
from genaudio.core.audit_settings import AuditSettings

_STRIDE = 4  # every fourth patch of a clip is looked up
_FAITHFUL = 0.8  # a clip that is a source already is preferred to another that explains this much of the rest
_OTHERS = 24  # training clips, besides the candidates, that a second hearing is whitened by
_LEAST = 1.0  # score of a stretch, in patches, below which nothing is claimed


@dataclass(frozen=True)
class Claim:
    """A stretch of the generated clip that one training clip explains better than the others do."""

    training: int
    stretch: Stretch


@dataclass(frozen=True)
class Likeness:
    """How like a training clip is.

    `coverage`: the mean, over the patches of the clip that hold sound, of the largest cosine with a patch of the
    training clip. `aligned`: the score of the pair's best stretch that no better candidate has claimed. `embedding`:
    the cosine of an embedding, 0 without one. `best`: the pair's best stretch, claimed or not.
    """

    coverage: float
    aligned: float
    embedding: float
    best: Stretch | None


@dataclass(frozen=True)
class Comparison:
    """A clip's likeness with its candidates, the training clips that come first in any ranking, by their numbers.

    A clip with less sound than a patch is long has no candidates: too little to be like anything.
    `claims`: stretches of the clip, none overlapping, best first.
    """

    sound: Sound
    candidates: Mapping[int, Likeness]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Query:
    """A clip to compare, the training clips not to compare it with, and what an embedding heard in it, of norm 1."""

    sound: Sound
    excluded: Collection[int] = ()
    embedded: Tensor | None = None


class Comparer:
    """Compares clips with a library of training clips, several at a time as the memory allows.

    `embedded`, `(training clips, dimensions)` of norm 1, is what an embedding heard in the training clips, if any did.
    """

    def __init__(self, library: PatchLibrary, settings: AuditSettings, embedded: Tensor | None = None) -> None:
        self._library, self._settings, self._embedded = library, settings, embedded
        # A query's cosine with each clip, as much again for its average, and with each patch of a shelf.
        self._most = max(1, settings.memory * 2**20 // (4 * (3 * len(library) + library.searched_at_once)))
        generator = torch.Generator().manual_seed(settings.seed)
        self._others: list[int] = torch.randperm(len(library), generator=generator)[:_OTHERS].tolist()

    def compare(self, queries: Iterable[Query]) -> Iterator[Comparison]:
        """Each clip's comparison, in order."""
        batch: list[Query] = []
        held = 0
        for query in queries:
            count = len(_looked_up(query.sound))
            if batch and held + count > self._most:
                yield from self._batch(batch)
                batch, held = [], 0
            batch.append(query)
            held += count
        if batch:
            yield from self._batch(batch)

    def _batch(self, batch: list[Query]) -> Iterator[Comparison]:
        patches = [_looked_up(query.sound) for query in batch]
        nearest = self._library.nearest(torch.cat(patches))
        first = 0
        for query, rows in zip(batch, patches, strict=True):
            yield self._one(query, nearest[first : first + len(rows)])
            first += len(rows)

    def _one(self, query: Query, nearest: Tensor) -> Comparison:
        settings, library, sound = self._settings, self._library, query.sound
        coverage, embedding = torch.zeros(2, len(library))
        rankings = []
        if enough_sound(sound, settings):
            coverage = nearest.mean(0)
            width = max(1, min(len(nearest), round(settings.local_window / settings.hop / _STRIDE)))
            rankings = [coverage, _moving_average(nearest, width).amax(0)]
        if rankings and self._embedded is not None and query.embedded is not None:
            embedding = self._embedded @ query.embedded
            rankings.append(embedding)
        barred = sorted(query.excluded)
        count = min(max(settings.candidates, settings.matches), len(library) - len(barred))
        found = {number for ranking in rankings for number in _first(ranking, count, barred)}
        candidates = {number: library.sound(number) for number in sorted(found)}
        if not candidates:
            return Comparison(sound, {}, ())
        others = [library.sound(number) for number in self._others if number not in found | set(barred)]
        stretches = _best(_alignments(sound, candidates, settings))
        sound, candidates = SecondHearing(sound, settings).of(candidates, stretches, others)
        alignments = _alignments(sound, candidates, settings)
        best = _best(alignments)
        claims, aligned = _claims(alignments, best, len(sound.patches))
        likeness = {
            number: Likeness(
                float(coverage[number]), aligned.get(number, 0.0), float(embedding[number]), best.get(number)
            )
            for number in alignments
        }
        return Comparison(sound, likeness, claims)


def enough_sound(sound: Sound, settings: AuditSettings) -> bool:
    """Whether a clip holds as much sound as a patch is long: less is too little to be like anything."""
    return sound.sounding >= settings.patch_frames


def _first(ranking: Tensor, count: int, barred: list[int]) -> list[int]:
    ranking = ranking.index_fill(0, torch.tensor(barred, dtype=torch.long), -torch.inf)
    numbers: list[int] = ranking.topk(count).indices.tolist()
    return numbers


def _alignments(sound: Sound, candidates: Mapping[int, Sound], settings: AuditSettings) -> dict[int, Alignment]:
    return {number: Alignment(sound, candidate, settings.likeness) for number, candidate in candidates.items()}


def _best(alignments: Mapping[int, Alignment]) -> dict[int, Stretch]:
    return {number: stretch for number, one in alignments.items() if (stretch := one.best()) is not None}


def _looked_up(sound: Sound) -> Tensor:
    return sound.patches[sound.patch_loudness > SILENT][::_STRIDE]


def _claims(
    alignments: dict[int, Alignment], best: dict[int, Stretch], patches: int
) -> tuple[tuple[Claim, ...], dict[int, float]]:
    """The claims, best first, and the score of each clip's first claim, or of its best stretch in what is left."""
    free = torch.ones(patches, dtype=torch.bool)
    current = dict(best)
    claims: list[Claim] = []
    scores: dict[int, float] = {}
    while current:
        leader = max(current, key=lambda number: current[number].score)
        if current[leader].score < _LEAST:
            break
        loyal = [n for n in current if n in scores and current[n].score >= _FAITHFUL * current[leader].score]
        chosen = max(loyal, key=lambda number: current[number].score) if loyal else leader
        stretch = current[chosen]
        claims.append(Claim(chosen, stretch))
        scores.setdefault(chosen, stretch.score)
        free[stretch.first : stretch.last + 1] = False
        for number, other in list(current.items()):
            if not bool(free[other.first : other.last + 1].all()):
                again = alignments[number].best(free)
                if again is None:
                    del current[number]
                else:
                    current[number] = again
    rest = {number: stretch.score for number, stretch in current.items()}
    return tuple(claims), {**rest, **scores}


def _moving_average(values: Tensor, width: int) -> Tensor:
    """`(n, clips)` to `(n - width + 1, clips)`, by differences of sums: no copy of every window."""
    sums = torch.nn.functional.pad(values.cumsum(0), (0, 0, 1, 0))
    return (sums[width:] - sums[:-width]) / width
