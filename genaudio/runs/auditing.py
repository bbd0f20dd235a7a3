"""Generated clips on disk, audited for copies of training clips: from paths and words to results, files and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import genaudio
from genaudio.audit.auditing import audit
from genaudio.audit.edmsound import EDMSoundResult, edmsound
from genaudio.audit.projection import Projection
from genaudio.audit.result import AuditedClip, AuditResult
from genaudio.audit.triplets import train_projection, versions_of
from genaudio.audit.windows import embed_windows
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import GenaudioError, Interrupted
from genaudio.core.files import check_output, write_json
from genaudio.core.progress import Progress
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.plugins.manager import registry
from genaudio.reports.audit_page import AuditPage, Offender, write_audit_page
from genaudio.reports.audit_plot import distribution_plot
from genaudio.runs.audit_sources import audit_settings, chosen_embedding, training_clips
from genaudio.training.device import resolve_device

_SHOWN = 12  # clips on the page, with at most so many matches each
_SHOWN_MATCHES = 3
_PAGE_RATE = 22050  # Hz at most: the page holds every sound that it plays


@dataclass(frozen=True)
class AuditRequest:
    """What to audit against what, and how.

    `embedding` adds to the likeness of clips if `fused`, and is what EDMSound's measure hears: each clip as a whole, or
    in windows of `window` seconds, through a projection tuned on the training clips if `tune`.
    """

    generated: ClipSet
    training: ClipSet
    held_out: ClipSet | None
    settings: AuditSettings
    embedding: Embedding
    fused: bool = False
    window: float | None = None
    tune: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """The verdicts, EDMSound's measure where there are enough clips for it, and what its reader should know."""

    result: AuditResult
    edmsound: EDMSoundResult | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What `gen audit --json` writes."""
        return self.result.as_json()


def audit_paths(
    generated: Path,
    training: Path,
    *,
    held_out: Path | None = None,
    settings: Sequence[str] = (),
    embedding: str | None = None,
    window: float | None = None,
    tune: bool = False,
    json_file: Path | None = None,
    page: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Audit:
    """What `gen audit` does: the audit of the clips that the paths stand for; writes `json_file` and `page` too.

    `settings` and `embedding` are words as on the command line. Raises `GenaudioError` for whatever its user can mend.
    """
    progress = progress or Progress()
    for option, path in (("--json", json_file), ("--page", page)):
        check_output(option, path)
    known, others = training_clips(training, held_out, progress)
    request = AuditRequest(
        generated=ClipSet.of_folder(generated),
        training=known,
        held_out=others,
        settings=audit_settings(settings),
        embedding=chosen_embedding(embedding),
        fused=embedding is not None,
        window=window,
        tune=tune,
    )
    found = run_audit(request, device=device, progress=progress)
    write_audit(found, request, json_file=json_file, page=page, name=generated.resolve().name)
    return found


def run_audit(request: AuditRequest, *, device: str = "auto", progress: Progress | None = None) -> Audit:
    """Do what a request asks for; raises `GenaudioError` for whatever its user can mend, `Interrupted` after Ctrl-C."""
    progress, where = progress or Progress(), str(resolve_device(device))
    generated = request.generated.spelled_as(request.training.classes)
    held_out = None if request.held_out is None else request.held_out.spelled_as(request.training.classes)
    try:
        result = audit(
            generated,
            request.training,
            held_out=held_out,
            settings=request.settings,
            embedding=request.embedding if request.fused else None,
            device=where,
            progress=progress,
        )
        measure, missing = _edmsound(replace(request, generated=generated), where, progress)
    except KeyboardInterrupt:
        raise Interrupted("the audit stopped; nothing is written", mend="give it again") from None
    notes = (*result.statistics["limits"], *missing)
    statistics = {
        **result.statistics,
        "edmsound": None if measure is None else measure.as_json(),
        "genaudio": genaudio.__version__,
        "copies": len(result.copies),
        "share_of_copies": len(result.copies) / len(result.clips),
        "notes": list(notes),
    }
    return Audit(replace(result, statistics=statistics), measure, notes)


def _edmsound(request: AuditRequest, device: str, progress: Progress) -> tuple[EDMSoundResult | None, tuple[str, ...]]:
    """The measure, or a note on why there is none."""
    embedding, name = request.embedding, registry().name_of("embedding", request.embedding)

    def told(done: int, total: int) -> None:
        if done == 1:
            progress.start(f"EDMSound's measure: {name}", total, unit="clips")
        progress.update(done)
        if done == total:
            progress.finish()

    try:
        sides = [
            embed_windows(embedding, name, clips, request.window, device=device, progress=told)
            for clips in (request.generated, request.training)
        ]
        if request.tune:
            projection = _projection(request, name, device, told)
            sides = [projection.project(side) for side in sides]
        return edmsound(sides[0], sides[1], device=device, seed=request.seed), ()
    except GenaudioError as error:
        problem = error.problems[0]
        return None, (f"no measure of EDMSound: {problem.given}; expected {problem.expected}",)


def _projection(request: AuditRequest, name: str, device: str, told: Any) -> Projection:
    versions = versions_of(
        request.embedding, name, request.training, request.window, seed=request.seed, device=device, progress=told
    )
    return train_projection(versions, seed=request.seed, device=device, progress=told)


def write_audit(
    found: Audit, request: AuditRequest, *, json_file: Path | None = None, page: Path | None = None, name: str = ""
) -> None:
    """Write what was found as JSON and as a page, each if its path is given."""
    if json_file is not None:
        write_json(json_file, found.as_json())
    if page is not None:
        write_audit_page(page, _page(found, request, name))


def _page(found: Audit, request: AuditRequest, name: str) -> AuditPage:
    by_path = {str(clip.path): clip for clips in (request.training, request.generated) for clip in clips.clips}
    rate = min(_PAGE_RATE, request.generated.clips[0].load().sample_rate)

    def sound(path: str) -> NDArray[np.floating]:
        return by_path[path].read(rate).numpy()

    offenders = [
        Offender(
            clip, sound(clip.generated), [(match, sound(match.training)) for match in clip.matches[:_SHOWN_MATCHES]]
        )
        for clip in _worst(found.result.clips)[:_SHOWN]
    ]
    facts: dict[str, object] = {
        "generated": request.generated.folder,
        "training": request.training.folder,
        "training clips": len(request.training.clips),
        "held-out clips": None if request.held_out is None else len(request.held_out.clips),
        "false alarms allowed": f"{100 * request.settings.false_alarm_rate:g}%",
    }
    measure = found.edmsound
    pictures = {} if measure is None else {"EDMSound's measure": distribution_plot(measure)}
    return AuditPage(name or "copies", rate, found.result, offenders, facts, pictures, found.notes)


def _worst(clips: Sequence[AuditedClip]) -> list[AuditedClip]:
    """Furthest above its threshold first."""
    return sorted(clips, key=lambda clip: clip.score - clip.threshold, reverse=True)


def summary(found: Mapping[str, Any]) -> str:
    """What `--json` holds as a few lines for a terminal."""
    clips, statistics = found["clips"], found["statistics"]
    counts = {verdict: sum(clip["verdict"] == verdict for clip in clips) for verdict in _VERDICTS}
    lines = [f"{len(clips)} clips: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())]
    lines += [
        f"  {clip['generated']}: {clip['verdict']} of {', '.join(clip['sources'])}"
        for clip in clips
        if clip["verdict"] != "new"
    ]
    measure = statistics.get("edmsound")
    if measure is not None:
        overall = measure["overall"]
        low, high = overall["interval"]
        lines.append(
            f"EDMSound's measure with {measure['card']['embedding']}: {overall['value']:+.4f} "
            f"({low:+.4f} to {high:+.4f}); above 0: nearer to training clips than those are to one another"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in statistics["notes"])])


_VERDICTS = ("exact copy", "stitching copy", "new")
