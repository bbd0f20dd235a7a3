"""The verdict on a generated clip: a copy of one training clip, stitched from several, or new."""

from __future__ import annotations

import math
from collections.abc import Sequence

from genaudio.audit.comparison import Claim, Comparison
from genaudio.audit.library import PatchLibrary
from genaudio.audit.patches import LOUD
from genaudio.audit.result import AuditedClip, Match, Verdict
from genaudio.audit.scoring import Judge
from genaudio.audit.spans import span
from genaudio.core.audit_settings import AuditSettings
from genaudio.evaluation.audio_clip import AudioClip

_WHOLE = 0.5  # share of the score of a whole copy
_SAME_COSINE, _SAME_SHARE = 0.95, 0.9  # alike from end to end: the same sound, whatever is usual in its class


def audited(
    clip: AudioClip,
    comparison: Comparison,
    judge: Judge,
    library: PatchLibrary,
    training: Sequence[AudioClip],
    settings: AuditSettings,
) -> AuditedClip:
    """What is said of one clip.

    It is a copy if its best score is above the threshold of its class and it has a source. Sources are the training
    clips that claim stretches of it that are long and run alike (`evidence`): noise that is like all other noise of
    its class, as rain is, has a high score and no such stretch. Two or more sources make it a stitching copy, but
    what is short and quiet beside the rest, as the start of a fade is, adds none. A clip that is the same as a
    training clip from end to end is a copy of it even where training clips are so alike that the threshold of the
    class says nothing.
    """
    label = clip.label if settings.use_labels else None
    claims = [claim for claim in comparison.claims if _long(claim, comparison, judge, label, settings)]
    ranked = judge.scorer.ranked(comparison)
    score, threshold = judge.scorer.best(comparison), judge.scores.threshold(label)
    sources: list[int] = []
    if score > threshold:
        alike = [claim for claim in claims if claim.stretch.cosine >= settings.evidence]
        told = [claim for claim in alike if not _faint(claim, comparison, settings)] or alike[:1]
        sources = list(dict.fromkeys(claim.training for claim in told))
    sources = sources or [claim.training for claim in comparison.claims if _same(claim, comparison)]
    return AuditedClip(
        str(clip.path),
        clip.label,
        _verdict(len(sources)),
        score,
        threshold,
        tuple(
            _match(number, score, comparison, claims, library, training, settings)
            for number, score in ranked[: settings.matches]
        ),
        tuple(str(training[number].path) for number in sources),
    )


def _long(claim: Claim, comparison: Comparison, judge: Judge, label: str | None, settings: AuditSettings) -> bool:
    """Longer than the threshold, or half as good as a copy of all sound of a clip too short for that."""
    whole = (1 - settings.likeness) * max(comparison.sound.sounding, settings.patch_frames)
    score = claim.stretch.score
    return math.log1p(score) > judge.stretches.threshold(label) or score >= _WHOLE * whole


def _faint(claim: Claim, comparison: Comparison, settings: AuditSettings) -> bool:
    """Whether a stretch is shorter than `local_window`, and most of it is 30 dB or more below the clip's loudest."""
    loudness = comparison.sound.patch_loudness[claim.stretch.first : claim.stretch.last + 1]
    return len(loudness) * settings.hop < settings.local_window and float((loudness < LOUD).double().mean()) > 0.5


def _same(claim: Claim, comparison: Comparison) -> bool:
    """Whether the clip is the training clip, or a part of it, from end to end."""
    length = claim.stretch.last - claim.stretch.first + 1
    return claim.stretch.cosine >= _SAME_COSINE and length >= _SAME_SHARE * max(comparison.sound.sounding, 1)


def _verdict(sources: int) -> Verdict:
    if not sources:
        return "new"
    return "exact copy" if sources == 1 else "stitching copy"


def _match(
    number: int,
    score: float,
    comparison: Comparison,
    claims: Sequence[Claim],
    library: PatchLibrary,
    training: Sequence[AudioClip],
    settings: AuditSettings,
) -> Match:
    """A training clip with the stretches that it claims, or else its best one, in order of time."""
    best = comparison.candidates[number].best
    stretches = [claim.stretch for claim in claims if claim.training == number] or ([best] if best else [])
    sound = library.sound(number)
    spans = [span(stretch, comparison.sound, sound, settings) for stretch in stretches]
    return Match(str(training[number].path), score, tuple(sorted(spans, key=lambda one: one.generated_start)))
