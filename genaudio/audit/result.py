"""What an audit found: for each generated clip its verdict and the training clips that are nearest to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Verdict = Literal["exact copy", "stitching copy", "new"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Span:
    """A stretch of a generated clip that a stretch of a training clip sounds like; seconds, and a score in [0, 1]."""

    generated_start: float
    generated_end: float
    training_start: float
    training_end: float
    score: float


@dataclass(frozen=True)
class Match:
    """A training clip that a generated clip resembles: how much, and where. Scores rise with likeness."""

    training: str
    score: float
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class AuditedClip:
    """A generated clip: what it is called, its nearest training clips, best first, and its sources if it is a copy.

    `score` is that of the decision, in the units of `threshold`: a copy exceeds it, and so may a new clip. `sources`
    names the training clips of the copy: one of an exact copy, two or more of a stitching copy, none of a new clip.
    """

    generated: str
    label: str | None
    verdict: Verdict
    score: float
    threshold: float
    matches: tuple[Match, ...]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditResult:
    """The audit of a set of generated clips against training clips."""

    clips: tuple[AuditedClip, ...]
    statistics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def copies(self) -> tuple[AuditedClip, ...]:
        """The clips that are called copies."""
        return tuple(clip for clip in self.clips if clip.verdict != "new")

    def as_json(self) -> dict[str, Any]:
        """Plain data, as `gen audit --json` writes it; a span is [generated start, end, training start, end, score]."""
        return {"clips": [_clip(clip) for clip in self.clips], "statistics": dict(self.statistics)}


def _clip(clip: AuditedClip) -> dict[str, Any]:
    return {
        "generated": clip.generated,
        "label": clip.label,
        "verdict": clip.verdict,
        "score": clip.score,
        "threshold": clip.threshold,
        "sources": list(clip.sources),
        "matches": [
            {"training": match.training, "score": match.score, "spans": [_span(span) for span in match.spans]}
            for match in clip.matches
        ],
    }


def _span(span: Span) -> list[float]:
    return [span.generated_start, span.generated_end, span.training_start, span.training_end, span.score]
