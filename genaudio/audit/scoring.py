"""The score of a pair of clips: coverage, plus alignment where it is longer than chance makes it, plus an embedding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genaudio.audit.calibration import Calibration, calibrate, tail_quantile
from genaudio.audit.comparison import Comparison, Likeness
from genaudio.core.audit_settings import AuditSettings

_PLAIN_COSINE, _PLAIN_SECONDS = 0.8, 1.0  # a second so alike is the same recording, whatever its class
_CHANCE = 0.02  # share of real clips whose longest alignment is beyond what counts as chance


@dataclass(frozen=True)
class Scorer:
    """score = coverage + w max(0, ln((1 + a) / (1 + a₀))) + w_e cosine of the embedding.

    a is the score of the pair's best aligned stretch, in patches; a₀ the level that one real clip in fifty exceeds
    with some training clip. So takes of one recording rank by coverage, and what is copied stands out.
    """

    chance: float  # a₀
    alignment_weight: float
    embedding_weight: float

    def score(self, likeness: Likeness) -> float:
        """Of one pair."""
        surprise = max(0.0, math.log1p(likeness.aligned) - math.log1p(self.chance))
        return likeness.coverage + self.alignment_weight * surprise + self.embedding_weight * likeness.embedding

    def ranked(self, comparison: Comparison) -> list[tuple[int, float]]:
        """The candidates and their scores, best first."""
        scores = [(number, self.score(likeness)) for number, likeness in comparison.candidates.items()]
        return sorted(scores, key=lambda item: (-item[1], item[0]))

    def best(self, comparison: Comparison) -> float:
        """The best score; 0 of a clip that is silent, and so has no candidates."""
        return max((self.score(likeness) for likeness in comparison.candidates.values()), default=0.0)


@dataclass(frozen=True)
class Judge:
    """A scorer, and the thresholds by class of its scores and of the length of stretches, ln(1 + a)."""

    scorer: Scorer
    scores: Calibration
    stretches: Calibration


def calibrated(comparisons: Sequence[Comparison], labels: Sequence[str | None], settings: AuditSettings) -> Judge:
    """From comparisons of real clips that are not training clips; raises `DataError` if they are too few."""
    rate, tail, seed = settings.false_alarm_rate, settings.tail, settings.seed
    longest = [math.log1p(longest_claim(comparison)) for comparison in comparisons]
    stretches = calibrate(longest, labels, rate=rate, tail=tail, seed=seed, confident=False)
    chance = math.expm1(tail_quantile(torch.tensor(longest, dtype=torch.float64), _CHANCE, tail))
    scorer = Scorer(chance, settings.alignment_weight, settings.embedding_weight)
    best = [scorer.best(comparison) for comparison in comparisons]
    return Judge(scorer, calibrate(best, labels, rate=rate, tail=tail, seed=seed), stretches)


def is_copy(comparison: Comparison, settings: AuditSettings) -> bool:
    """Whether a clip that should be none is plainly a copy of a training clip, and says nothing of real clips."""
    longest = comparison.claims[0].stretch if comparison.claims else None
    if longest is None:
        return False
    return longest.cosine >= _PLAIN_COSINE and (longest.last - longest.first + 1) * settings.hop >= _PLAIN_SECONDS


def longest_claim(comparison: Comparison) -> float:
    """The score of the best aligned stretch, in patches; 0 without any."""
    return comparison.claims[0].stretch.score if comparison.claims else 0.0
