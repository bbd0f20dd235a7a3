"""The stages of a run, from training to the report. What is finished is skipped, what was interrupted goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from genaudio.core.errors import Interrupted, RunError
from genaudio.core.files import write_json, write_text
from genaudio.core.progress import Progress
from genaudio.core.recipe import Recipe, load_recipe
from genaudio.core.registry import suggestion
from genaudio.plugins.manager import notify
from genaudio.runs.allocator import keep_freed_memory
from genaudio.runs.changes import STAGES, affected_stages, continues_training, differences, with_following
from genaudio.runs.directory import RunDirectory
from genaudio.runs.progress import ConsoleProgress, clock

if TYPE_CHECKING:
    from genaudio.datasets.base import Clips, Split


@dataclass
class RunContext:
    """What every stage is given: the recipe, the files, whom to tell, and the dataset, opened once a split."""

    recipe: Recipe
    directory: RunDirectory
    progress: Progress

    def __post_init__(self) -> None:
        self._clips: dict[str, Clips] = {}

    def clips(self, split: Split = "train") -> Clips:
        """A split of the dataset; its progress is shown while files are decoded for the first time."""
        if split not in self._clips:
            with self.progress.counting(f"decode ({split})", "files") as told:
                self._clips[split] = self.recipe.dataset.open(split, progress=told)
        return self._clips[split]


def run(
    recipe: Recipe | str | Path,
    directory: str | Path | None = None,
    *,
    only: Sequence[str] | str | None = None,
    until: str | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Path:
    """Run a recipe in `directory` (default: `runs/<name of the recipe>`) and return that directory.

    Finished stages are skipped. `only` names the stages to do, `until` the last one. `force` does finished stages
    again, or those that a changed recipe affects; what they had produced is moved to `previous/`. Raises
    `RunError` for a recipe that differs from the one the directory was started with, and `Interrupted` after Ctrl-C.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    files = RunDirectory(Path("runs") / recipe.name if directory is None else Path(directory))
    context = RunContext(recipe, files, Progress() if quiet else ConsoleProgress())
    stages = _selected([only] if isinstance(only, str) else only, until)
    keep_freed_memory()
    with files.lock():
        _settle_recipe(context, stages, force)
        for stage in stages:
            _do(context, stage)
    notify("genaudio_run_end", directory=files.path)
    return files.path


def _selected(only: Sequence[str] | None, until: str | None) -> tuple[str, ...]:
    for name in [*(only or ()), *([until] if until else ())]:
        if name not in STAGES:
            raise RunError(f"stage {name!r}", expected=f"one of {', '.join(STAGES)}", mend=suggestion(name, STAGES))
    if only and until:
        raise RunError("both only and until are given", expected="one of them")
    if only:
        return tuple(stage for stage in STAGES if stage in only)
    return STAGES[: STAGES.index(until) + 1] if until else STAGES


def _settle_recipe(context: RunContext, stages: Sequence[str], force: bool) -> None:
    """See that the directory holds this recipe, putting aside what `force` does again."""
    files, recipe = context.directory, context.recipe
    text = recipe.to_yaml()
    choice = False
    if files.recipe.exists():
        before = load_recipe(files.recipe)
        changes = differences(before.to_mapping(), recipe.to_mapping())
        if changes and not force:
            shown = "\n".join(f"        {path}: {old!r} -> {new!r}" for path, (old, new) in changes.items())
            raise RunError(
                f"{files.path} was started with a different recipe:\n{shown}",
                expected="the same recipe in the same directory",
                mend="use another directory (--out), or --force, which does again what the change affects and moves "
                f"earlier results to {files.path / 'previous'}",
            )
        # What was made from something that is done again is stale, so it goes too.
        screened = recipe.sampling.reject_copies > 0
        constant = recipe.training.decay == "constant"
        choice = bool(changes) and _stages().choice_of(before) != _stages().choice_of(recipe)
        again = (
            affected_stages(changes, constant, screened=screened, choice=choice) if changes else with_following(stages)
        )
    else:
        changes, again = {}, ()
    undone = [*again, *(["train"] if choice or continues_training(changes) else [])]
    _check_order(files, stages, undone if force else [])
    if force or not all(files.finished(stage) for stage in stages):
        # Before anything is written or moved: a recipe that cannot work harms no run.
        ahead = [stage for stage in stages if (force and stage in again) or not files.finished(stage)]
        training = "train" in ahead or ("train" in stages and choice)
        _stages().check(context, training=training, sampling="sample" in ahead)
    if force:
        for stage in again:
            if changes and stage == "train":
                context.progress.say("the change affects training: it starts over")
            files.put_aside(stage, *_outputs(files, stage))
        chosen = choice and files.finished("train")
        if (chosen or continues_training(changes)) and "train" not in again:
            if chosen:
                context.progress.say("the change affects which weights become the model: they are chosen anew")
            files.put_aside("train", files.model)
    write_text(files.recipe, text)
    write_json(files.record, files.read())


def _check_order(files: RunDirectory, stages: Sequence[str], undone: Sequence[str]) -> None:
    """Raise `RunError` for a stage before which another is needed that is not asked for.

    It is needed if it is not finished, or will not be any more once the stages `undone` are put aside.
    """
    finished = {stage for stage in STAGES if stage not in undone and files.finished(stage)}
    for stage in stages:
        missing = [name for name in STAGES[: STAGES.index(stage)] if name not in finished and name not in stages]
        if stage not in finished and missing:
            again = [name for name in missing if name in undone]
            because = f"; it has to be done again: {', '.join(again)}" if again else ""
            raise RunError(
                f"stage {stage} cannot start: {', '.join(missing)} is not finished in {files.path}{because}",
                expected="the stages before it",
                mend=f"run it with --until {stage}",
            )


def _outputs(files: RunDirectory, stage: str) -> tuple[Path, ...]:
    return {
        "train": (files.checkpoints, files.metrics, files.model, files.path / "tensorboard"),
        "sample": (files.samples, files.path / ".samples.partial"),
        "evaluate": (files.evaluation,),
        "audit": (files.audit,),
        "report": (files.report,),
    }[stage]


def _do(context: RunContext, stage: str) -> None:
    files, progress = context.directory, context.progress
    if files.finished(stage):
        progress.say(f"{stage}: done before")
        return
    began = time.perf_counter()
    try:
        facts = _stages().RUNNERS[stage](context)
    except (KeyboardInterrupt, Interrupted) as error:
        files.interrupt(stage, time.perf_counter() - began)
        progress.finish()
        stopped = f"{stage} stopped; what is finished is saved"
        raise Interrupted(
            error.problems[0].given if isinstance(error, Interrupted) else stopped,
            mend=f"go on with the same command, or: gen run {files.recipe} --out {files.path}",
        ) from None
    except BaseException:
        files.interrupt(stage, time.perf_counter() - began)
        progress.finish()
        raise
    seconds = time.perf_counter() - began
    files.finish(stage, seconds, **facts)
    progress.say(f"{stage}: done in {clock(seconds)}")
    notify("genaudio_stage_end", stage=stage, directory=files.path)


def _stages() -> ModuleType:
    # Imported here: `gen run --help` and a refused recipe must not wait for torch.
    from genaudio.runs import stages

    return stages
