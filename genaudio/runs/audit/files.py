"""The files of an audit: everything as JSON, and a page with the worst offenders beside their sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genaudio.audit.result import AuditedClip
from genaudio.core.files import write_json
from genaudio.reports.audit_page import AuditPage, Offender, write_audit_page
from genaudio.reports.audit_plot import distribution_plot
from genaudio.runs.audit.audit import Audit, AuditRequest

_SHOWN = 12  # clips on the page, with at most so many matches each
_SHOWN_MATCHES = 3
_PAGE_RATE = 22050  # Hz at most: the page holds every sound that it plays


def write_audit(
    found: Audit, request: AuditRequest, *, json_file: Path | None = None, page: Path | None = None, name: str = ""
) -> None:
    """Write what was found as a page and as JSON, each if its path is given; `name` is the page's title."""
    if page is not None:
        write_audit_page(page, _page(found, request, name))
    if json_file is not None:  # last: a stage is done where this is
        write_json(json_file, found.as_json())


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
    """Copies first, then by how far the score lies above the threshold."""
    return sorted(clips, key=lambda clip: (clip.verdict != "new", clip.score - clip.threshold), reverse=True)
