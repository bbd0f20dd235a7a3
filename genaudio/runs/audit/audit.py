"""An audit for copies: verdicts on generated clips, EDMSound's measure of the whole set, and notes for the reader."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import genaudio
from genaudio.audit.auditing import audit
from genaudio.audit.edmsound import EDMSoundResult, edmsound
from genaudio.audit.projection import Projection
from genaudio.audit.result import AuditResult
from genaudio.audit.search import Backend
from genaudio.audit.triplets import train_projection, versions_of
from genaudio.audit.windows import embed_windows
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import GenaudioError, Interrupted
from genaudio.core.progress import Progress
from genaudio.datasets.cache import default_cache
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.plugins.manager import registry
from genaudio.training.device import resolve_device


@dataclass(frozen=True)
class AuditRequest:
    """What to audit against what, and how.

    `embedding` adds to the likeness of clips if `fused`, and is what EDMSound's measure hears: each clip as a whole, or
    in windows of `window` seconds, through a projection tuned on the training clips if `tune`; `search` is what finds
    its nearest windows.
    """

    generated: ClipSet
    training: ClipSet
    held_out: ClipSet | None
    settings: AuditSettings
    embedding: Embedding
    fused: bool = False
    window: float | None = None
    tune: bool = False
    search: Backend = "exact"
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """The verdicts, EDMSound's measure where there are enough clips for it, and what its reader should know."""

    result: AuditResult
    edmsound: EDMSoundResult | None
    notes: tuple[str, ...]

    @property
    def compared(self) -> int:
        """How many generated clips had something to compare: the others are called new for want of sound."""
        return len(self.result.clips) - int(self.result.statistics["clips_without_sound"])

    def as_json(self) -> dict[str, Any]:
        """What `gen audit --json` writes."""
        return self.result.as_json()


def run_audit(
    request: AuditRequest, *, device: str = "auto", cache: Path | None = None, progress: Progress | None = None
) -> Audit:
    """Do what a request asks for; raises `GenaudioError` for whatever its user can mend, `Interrupted` after Ctrl-C.

    What the embedding hears is kept below `cache`, or the folder that `default_cache` names.
    """
    progress, where, cache = progress or Progress(), str(resolve_device(device)), cache or default_cache()
    generated = request.generated.spelled_as(request.training.classes)
    held_out = None if request.held_out is None else request.held_out.spelled_as(request.training.classes)
    try:
        result = audit(
            generated,
            request.training,
            held_out=held_out,
            settings=request.settings,
            embedding=request.embedding if request.fused else None,
            embedding_name=registry().name_of("embedding", request.embedding),
            device=where,
            cache=cache,
            progress=progress,
        )
        measure, missing = _measure(replace(request, generated=generated), where, cache, progress)
    except KeyboardInterrupt:
        raise Interrupted("the audit stopped; nothing is written", mend="give it again") from None
    limits = [*_not_compared(result), *result.statistics["limits"]]
    notes = (*limits, *missing)
    statistics = {
        **result.statistics,
        "limits": limits,
        "edmsound": None if measure is None else measure.as_json(),
        "genaudio": genaudio.__version__,
        "copies": len(result.copies),
        "share_of_copies": len(result.copies) / len(result.clips),
        "notes": list(notes),
    }
    return Audit(replace(result, statistics=statistics), measure, notes)


def _not_compared(result: AuditResult) -> list[str]:
    """A limit that says of how many clips nothing is known; none where all were compared."""
    silent = result.statistics["clips_without_sound"]
    if not silent:
        return []
    return [
        f"{silent} of {len(result.clips)} generated clips had nothing to compare: they are silent, or hold less sound "
        "than a patch is long, and are called new for that alone"
    ]


def _measure(
    request: AuditRequest, device: str, cache: Path, progress: Progress
) -> tuple[EDMSoundResult | None, tuple[str, ...]]:
    """EDMSound's measure, or a note on why there is none."""
    name = registry().name_of("embedding", request.embedding)

    def heard(clips: ClipSet) -> FeatureSet:
        options: dict[str, Any] = {"device": device, "cache": cache, "progress": progress}
        return embed_windows(request.embedding, name, clips, request.window, **options)

    try:
        sides = [heard(request.generated), heard(request.training)]
        if request.tune:
            projection = _tuned(request, name, device, progress)
            sides = [projection.project(side) for side in sides]
        return edmsound(sides[0], sides[1], device=device, seed=request.seed, backend=request.search), ()
    except GenaudioError as error:
        problem = error.problems[0]
        return None, (f"no measure of EDMSound: {problem.given}; expected {problem.expected}",)


def _tuned(request: AuditRequest, name: str, device: str, progress: Progress) -> Projection:
    """A projection of the embedding, trained on triplets of the training clips."""
    with progress.counting(f"triplets: {name} hears altered training clips", "clips") as told:
        versions = versions_of(
            request.embedding, name, request.training, request.window, seed=request.seed, device=device, progress=told
        )
    with progress.counting("triplets: training", "passes") as told:
        return train_projection(versions, seed=request.seed, device=device, progress=told)
