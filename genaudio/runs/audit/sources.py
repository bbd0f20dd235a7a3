"""What is audited against what, from the words of a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from pydantic import ValidationError

import genaudio
from genaudio.audit.calibration import FEWEST
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import DataError, Problem, RunError
from genaudio.core.overrides import apply_overrides
from genaudio.core.progress import Progress
from genaudio.core.recipe import load_recipe
from genaudio.core.validation import problems_of
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.runs.audit.screen import CopyScreen
from genaudio.runs.contenders import parsed
from genaudio.runs.evaluation.sources import dataset_clips, is_recipe
from genaudio.training.device import resolve_device


def known_and_held_out(training: Path, held_out: Path | None, progress: Progress) -> tuple[ClipSet, ClipSet | None]:
    """The training clips that a path stands for, and real clips that were not trained on, if there are any."""
    others = None if held_out is None else ClipSet.of_folder(held_out)
    if held_out is not None and held_out.resolve() == training.resolve():
        raise RunError(
            f"--held-out {held_out} is the folder of the training clips",
            expected="real clips that were not trained on",
            mend="leave it out: the training clips then calibrate each other",
        )
    if (training / "run.json").is_file():
        raise RunError(
            f"{training} is a run directory: what it holds are generated clips",
            expected="training clips: a folder, or a recipe",
            mend=f"give {training / 'recipe.yaml'}",
        )
    if not is_recipe(training):
        return ClipSet.of_folder(training), others
    recipe = load_recipe(training)
    known = dataset_clips(recipe.dataset, "train", seed=recipe.seed, progress=progress)
    if others is None:
        others = held_out_clips(
            lambda: dataset_clips(recipe.dataset, "validation", seed=recipe.seed, progress=progress), progress
        )
    return known, others


def held_out_clips(validation: Callable[[], ClipSet], progress: Progress) -> ClipSet | None:
    """A dataset's validation clips; None, where they are too few, lets the training clips calibrate each other."""
    try:
        held_out = validation()
    except DataError:  # what a dataset says of a split that it does not have
        return None
    if len(held_out.clips) >= FEWEST:
        return held_out
    progress.say(
        f"audit: {len(held_out.clips)} validation clips, too few to calibrate with (at least {FEWEST}): the training "
        "clips calibrate each other"
    )
    return None


def audit_settings(texts: Sequence[str]) -> AuditSettings:
    """`false_alarm_rate=0.001` and the like as settings; raises `RunError` for what is none.

    `enabled` is none here: whoever asks for an audit wants one.
    """
    changed = apply_overrides({}, texts, {})
    if changed.problems:
        raise RunError.of(changed.problems)
    given = "a setting of `gen run`: whether it audits"
    expected, mend = "a setting of how clips are compared", "leave it out: gen audit audits whenever it is called"
    switches = [one for path, one in changed.set_by.items() if path[0] == "enabled"]
    if switches:
        raise RunError.of([Problem(given, expected, mend, "enabled", one.position) for one in switches])
    try:
        return AuditSettings.model_validate(changed.data)
    except ValidationError as error:
        places = {".".join(map(str, path)): one.position for path, one in changed.set_by.items()}
        problems = problems_of(error, changed.data, AuditSettings)
        raise RunError.of([replace(one, position=places.get(one.path)) for one in problems]) from None


def chosen_embedding(text: str | None) -> Embedding:
    """The embedding that is given; where none is, one without weights."""
    return cast(
        Embedding, genaudio.create("embedding", "mel_statistics") if text is None else parsed("embedding", text)
    )


def screen_of(training: Path, *, tries: int, device: str, progress: Progress) -> CopyScreen:
    """A screen against copies of the training clips that a path stands for, with the audit's default settings."""
    known, others = known_and_held_out(training, None, progress)
    where = str(resolve_device(device))
    return CopyScreen.of(known, others, AuditSettings(), tries=tries, device=where, progress=progress)
