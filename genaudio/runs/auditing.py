"""Generated clips on disk, audited for copies of training clips: from paths and words to results, files and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genaudio.audit.search import Backend
from genaudio.core.progress import Progress
from genaudio.evaluation.clip_set import ClipSet
from genaudio.runs.audit.audit import Audit, AuditRequest, run_audit
from genaudio.runs.audit.files import write_audit
from genaudio.runs.audit.sources import audit_settings, chosen_embedding, known_and_held_out
from genaudio.runs.outputs import check_file


def audit_paths(
    generated: Path,
    training: Path,
    *,
    held_out: Path | None = None,
    settings: Sequence[str] = (),
    embedding: str | None = None,
    window: float | None = None,
    tune: bool = False,
    search: Backend = "exact",
    json_file: Path | None = None,
    page: Path | None = None,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """What `gen audit` does: the audit of the clips that the paths stand for; writes `json_file` and `page` too.

    `settings` and `embedding` are words as on the command line. Raises `GenaudioError` for whatever its user can mend.
    """
    progress = progress or Progress()
    check_file("--json", json_file)
    check_file("--page", page)
    chosen = audit_settings(settings)
    known, others = known_and_held_out(training, held_out, progress)
    request = AuditRequest(
        generated=ClipSet.of_folder(generated),
        training=known,
        held_out=others,
        settings=chosen,
        embedding=chosen_embedding(embedding),
        fused=embedding is not None,
        window=window,
        tune=tune,
        search=search,
    )
    found = run_audit(request, device=device, cache=cache, progress=progress)
    write_audit(found, request, json_file=json_file, page=page, name=generated.resolve().name)
    return found
