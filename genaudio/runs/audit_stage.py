"""The stage `audit` of a run: are its samples copies of its training clips?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genaudio.core.errors import DataError, GenaudioError, RunError
from genaudio.core.files import write_json
from genaudio.evaluation.clip_set import ClipSet
from genaudio.reports.data import Table
from genaudio.runs.audit_sources import enough
from genaudio.runs.auditing import AuditRequest, run_audit, write_audit
from genaudio.runs.copy_screen import CopyScreen
from genaudio.runs.recipe_evaluation import run_embedding
from genaudio.training.device import resolve_device

if TYPE_CHECKING:
    from genaudio.runs.pipeline import RunContext


def audit(context: RunContext) -> dict[str, object]:
    """Compare the run's samples with its training clips; what cannot be compared is noted, and ends no run."""
    recipe, files = context.recipe, context.directory
    target = files.audit / "audit.json"
    if not recipe.audit.enabled:
        write_json(target, {"clips": [], "statistics": {"notes": ["the recipe says audit.enabled: false"]}})
        return {}
    source = f"{recipe.type_name('dataset')}, train"
    embedding, _ = run_embedding(context)
    try:
        request = AuditRequest(
            generated=ClipSet.of_folder(files.samples),
            training=ClipSet.of_clips(context.clips("train"), seed=recipe.seed, source=source),
            held_out=_held_out(context),
            settings=recipe.audit,
            embedding=embedding,
            seed=recipe.seed,
        )
        found = run_audit(request, device=recipe.device, progress=context.progress)
    except GenaudioError as error:
        problem = error.problems[0]
        note = f"no audit: {problem.given}; expected {problem.expected}"
        write_json(target, {"clips": [], "statistics": {"notes": [note]}})
        return {"note": note}
    write_audit(found, request, page=files.audit / "audit.html", name=recipe.name)
    write_audit(found, request, json_file=target)  # last: what says that the stage is done
    return {"clips": len(found.result.clips), "copies": len(found.result.copies)}


def run_screen(context: RunContext, tries: int) -> CopyScreen:
    """A screen of the run's samples against its training clips."""
    recipe = context.recipe
    source = f"{recipe.type_name('dataset')}, train"
    training = ClipSet.of_clips(context.clips("train"), seed=recipe.seed, source=source)
    device = str(resolve_device(recipe.device))
    return CopyScreen.of(
        training, _held_out(context), recipe.audit, tries=tries, device=device, progress=context.progress
    )


def _held_out(context: RunContext) -> ClipSet | None:
    """The validation clips of the run's dataset, None where they are too few to calibrate with."""
    try:
        clips = context.clips("validation")
    except DataError:
        return None
    source = f"{context.recipe.type_name('dataset')}, validation"
    return enough(ClipSet.of_clips(clips, seed=context.recipe.seed, source=source), context.progress)


def audit_tables(found: Mapping[str, Any]) -> list[Table]:
    """The audit in short for the page of a run: none if nothing was audited."""
    clips = found["clips"]
    if not clips:
        return []
    rows = [
        [verdict, sum(clip["verdict"] == verdict for clip in clips), len(clips)]
        for verdict in ("exact copy", "stitching copy", "new")
    ]
    note = "audit/audit.html has the clips that are most like training clips, beside those."
    measure = found["statistics"].get("edmsound")
    if measure is not None:
        overall = measure["overall"]
        note += (
            f" EDMSound's measure with {measure['card']['embedding']}: {overall['value']:+.4f}; above 0, generated "
            "clips are nearer to training clips than those are to one another."
        )
    return [Table("Copy audit", ("verdict", "clips", "of"), rows, note)]


def read_audit(path: Path) -> Mapping[str, Any]:
    """The audit of the stage; raises `RunError` if it cannot be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = found["clips"], found["statistics"]["notes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {error!r}",
            expected="the audit as it was written",
            mend="make it again with --only audit --force, then the report",
        ) from error
    return found
