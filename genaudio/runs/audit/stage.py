"""The stage `audit` of a run: are its samples copies of its training clips?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genaudio.audit.calibration import FEWEST
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.core.files import write_json
from genaudio.evaluation.clip_set import ClipSet
from genaudio.runs.audit.audit import AuditRequest, run_audit
from genaudio.runs.audit.files import write_audit
from genaudio.runs.audit.screen import CopyScreen
from genaudio.runs.audit.sources import held_out_clips
from genaudio.runs.evaluation.recipe import run_embedding
from genaudio.training.device import resolve_device

if TYPE_CHECKING:
    from genaudio.datasets.base import Split
    from genaudio.runs.pipeline import RunContext


def audit(context: RunContext) -> dict[str, object]:
    """Compare the run's samples with its training clips; what cannot be compared is noted, and ends no run."""
    recipe, files = context.recipe, context.directory
    target = files.audit / "audit.json"
    if not recipe.audit.enabled:
        write_json(target, {"clips": [], "statistics": {"notes": ["the recipe says audit.enabled: false"]}})
        return {}
    embedding, _ = run_embedding(context)
    try:
        request = AuditRequest(
            generated=ClipSet.of_folder(files.samples),
            training=_clips_of(context, "train"),
            held_out=_held_out(context),
            settings=recipe.audit,
            embedding=embedding,
            seed=recipe.seed,
        )
        found = run_audit(request, device=recipe.device, progress=context.progress)
    except Interrupted:
        raise  # a stage that was stopped is not done
    except GenaudioError as error:
        problem = error.problems[0]
        note = f"no audit: {problem.given}; expected {problem.expected}"
        write_json(target, {"clips": [], "statistics": {"notes": [note]}})
        return {"note": note}
    write_audit(found, request, json_file=target, page=files.audit / "audit.html", name=recipe.name)
    return {"clips": len(found.result.clips), "copies": len(found.result.copies)}


def check_screen(context: RunContext) -> None:
    """Raise `RunError` where samples are to be screened for copies, and no clips are there to calibrate a screen."""
    size = context.clips("train").size
    if context.recipe.sampling.reject_copies and size is not None and size < FEWEST and _held_out(context) is None:
        raise RunError(
            f"sampling.reject_copies, and {size} training clips",
            expected=f"at least {FEWEST} training or validation clips, to calibrate the search for copies with",
            mend="add clips, or set sampling.reject_copies: 0",
        )


def run_screen(context: RunContext, tries: int) -> CopyScreen:
    """A screen of the run's samples against its training clips."""
    recipe = context.recipe
    return CopyScreen.of(
        _clips_of(context, "train"),
        _held_out(context),
        recipe.audit,
        tries=tries,
        device=str(resolve_device(recipe.device)),
        progress=context.progress,
    )


def _held_out(context: RunContext) -> ClipSet | None:
    return held_out_clips(lambda: _clips_of(context, "validation"), context.progress)


def _clips_of(context: RunContext, split: Split) -> ClipSet:
    """The clips of a split of the run's dataset, as its model is trained on them."""
    recipe = context.recipe
    return ClipSet.of_clips(context.clips(split), seed=recipe.seed, source=f"{recipe.type_name('dataset')}, {split}")
