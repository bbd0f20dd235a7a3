"""Spans: a stretch of like patches in seconds of both clips, to the frame.

A patch is centred on its frame, so a stretch ends where half of a patch is alike: at the cut. Beyond that a span goes
on through what is silent in both clips, since a copied silence belongs to the copy, until a sound begins in either.
"""

from __future__ import annotations

from genaudio.audit.alignment import Stretch, neutral
from genaudio.audit.result import Span
from genaudio.audit.sound import Sound
from genaudio.core.audit_settings import AuditSettings


def span(stretch: Stretch, generated: Sound, training: Sound, settings: AuditSettings) -> Span:
    """The stretch in seconds; its score is the mean cosine of its patches."""
    first = _through_silence(stretch.first, -1, stretch.lag, generated, training)
    last = _through_silence(stretch.last, +1, stretch.lag, generated, training)
    generated_start, generated_end = _seconds(first, last, generated, settings.hop)
    training_start, training_end = _seconds(first + stretch.lag, last + stretch.lag, training, settings.hop)
    return Span(generated_start, generated_end, training_start, training_end, max(0.0, min(1.0, stretch.cosine)))


def _through_silence(frame: int, step: int, lag: int, generated: Sound, training: Sound) -> int:
    """The last frame, going on from `frame`, up to which the loudness of both is neutral."""
    left, right = generated.frame_loudness, training.frame_loudness
    while True:
        ahead = frame + step
        if not (0 <= ahead < len(left) and 0 <= ahead + lag < len(right)):
            return frame
        if not bool(neutral(left[ahead], right[ahead + lag])):
            return frame
        frame = ahead


def _seconds(first: int, last: int, sound: Sound, hop: float) -> tuple[float, float]:
    """From half a hop before the first frame to half a hop after the last, or to the ends of the clip."""
    start = 0.0 if first == 0 else (first - 0.5) * hop
    end = sound.duration if last == len(sound.frame_loudness) - 1 else min((last + 0.5) * hop, sound.duration)
    return start, end
