"""Training the classifier of a dataset, with a card of what it is worth on clips that it has not learned from.

What is written is whole or absent: a folder with `classifier.safetensors` and `classifier.json`, whose `facts` hold the
dataset, the course, and the accuracy on every held-out split: clean, and under white noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genaudio.core.errors import DataError, Interrupted, RecipeError, RunError
from genaudio.core.files import atomic_folder
from genaudio.core.overrides import apply_overrides
from genaudio.core.progress import Progress
from genaudio.core.recipe import load_recipe
from genaudio.core.registry import suggestion
from genaudio.core.wording import listed
from genaudio.datasets.base import Clips, Dataset
from genaudio.evaluation.agreement import Rate
from genaudio.evaluation.classifier import Classifier, agreement
from genaudio.evaluation.classifier_training import BATCH_SIZE, LEARNING_RATE, STEPS, train_classifier
from genaudio.evaluation.held_out import HeldOut, held_out
from genaudio.runs.blocks import build_block, describe
from genaudio.runs.evaluation.sources import is_recipe
from genaudio.runs.outputs import check_folder
from genaudio.runs.versions import versions
from genaudio.training.device import resolve_device
from genaudio.training.interrupt import stop_on_signal

SNRS = (40.0, 20.0, 10.0)  # dB


@dataclass(frozen=True)
class ClassifierRequest:
    """How to train, and under how much noise to judge."""

    steps: int = STEPS
    seed: int = 0
    device: str = "auto"
    snrs: tuple[float, ...] = SNRS


def dataset_of(source: Path, texts: Sequence[str] = ()) -> tuple[str, Dataset]:
    """The name and the dataset of a recipe, or of a folder with a sub-folder for each class; `texts` override it.

    Raises `RecipeError` for an override that is not of the dataset.
    """
    if not source.exists() and not is_recipe(source):
        raise RunError(
            f"{source} does not exist",
            expected="a folder with a sub-folder of sound files for each class, or a recipe file",
            mend=_nearby(source),
        )
    if not source.is_dir():
        recipe = load_recipe(source, texts)
        return recipe.name, recipe.dataset
    changed = apply_overrides({"dataset": {"type": "folder", "root": str(source)}}, texts, {"dataset": None})
    if changed.problems:
        raise RecipeError.of(changed.problems)
    if strangers := [key for key in changed.data if key != "dataset"]:
        raise RunError(
            f"--set {strangers[0]}",
            expected="a value of the dataset, which is all that a folder has: dataset.duration=4",
        )
    dataset = build_block("dataset", changed.data["dataset"])
    if not isinstance(dataset, Dataset):
        raise RunError("--set dataset=null", expected="a dataset")
    return source.absolute().name, dataset


def _nearby(source: Path) -> str:
    """What there is beside a path that is not there."""
    try:
        found = sorted(path.name for path in source.parent.iterdir() if path.is_dir() or is_recipe(path))
    except OSError:
        return f"{source.parent} does not exist either: look at the path"
    names = [name for name in found if not name.startswith(".")]
    if not names:
        return f"there is no folder and no recipe in {source.parent}: look at the path"
    return suggestion(source.name, names) or f"folders and recipes in {source.parent}: {listed(names)}"


def make_classifier(
    dataset: Dataset, folder: Path, request: ClassifierRequest | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Train a classifier of the dataset's classes, judge it, write it into `folder`, and return its facts.

    Raises `GenaudioError` for clips without classes, `DataError` for a dataset that holds no clips out or leaks,
    `RunError` if something is in `folder`, and `Interrupted` after Ctrl-C: then nothing is written.
    """
    request, progress, folder = request or ClassifierRequest(), progress or Progress(), folder.absolute()
    check_folder(folder)
    device = str(resolve_device(request.device))
    train = _labelled(dataset.open("train"))
    splits = held_out(dataset)
    with stop_on_signal() as asked:

        def told(done: int, total: int) -> None:
            progress.update(done)
            if asked:
                raise Interrupted(
                    f"stopped at {done} of {total}; nothing is written", mend="give the same command again"
                )

        began = time.perf_counter()
        progress.start("classifier", request.steps)
        classifier = train_classifier(train, steps=request.steps, seed=request.seed, device=device, progress=told)
        seconds = time.perf_counter() - began
        progress.start("judge", len(splits) * (1 + len(request.snrs)), unit="rounds")
        judged = _judged(classifier, splits, request, told)
        progress.finish()
    facts = {
        "dataset": describe("dataset", dataset),
        "training_clips": train.size,
        "steps": request.steps,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "seed": request.seed,
        "device": device,
        "seconds": round(seconds, 1),
        "versions": versions(),
        "held_out": judged,
    }
    with atomic_folder(folder) as partial:
        classifier.save(partial, **facts)
    return facts


def _labelled(clips: Clips) -> Clips:
    if len(clips.classes) < 2:
        raise DataError(
            "the training clips have " + (f"one class, {clips.classes[0]}" if clips.classes else "no classes"),
            expected="clips of at least two classes",
            mend="put them in one sub-folder for each class, or use a labelled dataset",
        )
    return clips


def _judged(
    classifier: Classifier, splits: Sequence[HeldOut], request: ClassifierRequest, told: Callable[[int, int], None]
) -> dict[str, Any]:
    """By split, the agreement with the true classes: of clean clips, and by signal-to-noise ratio in dB."""
    judged: dict[str, Any] = {}
    rounds = [(one, snr) for one in splits for snr in (None, *request.snrs)]
    for done, (one, snr) in enumerate(rounds, start=1):
        found = agreement(classifier, one.clips, seed=request.seed, snr=snr, leave_out=one.copies).as_json()
        if snr is None:
            judged[one.split] = {"copies_left_out": sorted(one.copies), "clean": found, "noisy": {}}
        else:
            judged[one.split]["noisy"][f"{snr:g}"] = found
        told(done, len(rounds))
    return judged


def table(facts: Mapping[str, Any]) -> str:
    """The accuracy on held-out clips as text: one line a split and signal-to-noise ratio."""
    lines = []
    for split, judged in facts["held_out"].items():
        for name, found in [("clean", judged["clean"]), *((f"{snr} dB", one) for snr, one in judged["noisy"].items())]:
            rate = found["overall"]
            lines.append(f"{split:<12}{name:>6}  {Rate(rate['successes'], rate['total'])}")
    return "\n".join([*lines, "noise is white; dB is the ratio of the energies of clip and noise"])
