"""What is evaluated and what it is compared with, from the words of a command line or a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import genaudio
from genaudio.core.errors import GenaudioError, RunError
from genaudio.core.progress import Progress
from genaudio.core.recipe import load_recipe
from genaudio.datasets.base import Dataset, Split
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.label_spelling import spelled_as
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.reference_statistics import SUFFIX, load_statistics
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import build_block
from genaudio.runs.contenders import contenders, parsed

DEFAULT_METRICS = ("fad", "kad")


def open_reference(
    path: Path, *, split: Split | None = None, cache: Path | None = None, progress: Progress | None = None
) -> ClipSet | FeatureSet:
    """The real clips that a path stands for: a folder, a run's samples, a file of statistics, or a recipe's dataset.

    Of a recipe, `split` (default: train) says which clips of its dataset.
    """
    if is_recipe(path):
        return dataset_clips(load_recipe(path).dataset, split or "train", cache=cache, progress=progress)
    if split is not None:
        raise RunError(
            f"--split {split} with the reference {path}",
            expected="a recipe, whose dataset has splits",
            mend="give --reference RECIPE.yaml, or leave --split out",
        )
    return load_statistics(path) if path.suffix == SUFFIX else ClipSet.of_folder(path)


def is_recipe(path: Path) -> bool:
    """Whether a path names a recipe, and so stands for the clips of its dataset."""
    return path.suffix.lower() in (".yaml", ".yml")


def dataset_clips(
    dataset: Dataset,
    split: Split,
    *,
    count: int | None = None,
    seed: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> ClipSet:
    """Clips of a recipe's dataset, as a model is trained on them; `count` and `seed`: see `ClipSet.of_clips`."""
    with (progress or Progress()).counting(f"decode ({split})", "files") as told:
        clips = dataset.open(split, cache=cache, progress=told)
    return ClipSet.of_clips(clips, count, seed=seed, source=f"{registry().name_of('dataset', dataset)}, {split}")


def spelled_alike(reference: ClipSet | FeatureSet, classes: Sequence[str]) -> ClipSet | FeatureSet:
    """The reference, its classes written as the generated clips' are where only the spelling differs."""
    if isinstance(reference, ClipSet):
        return reference.spelled_as(classes)
    names = tuple(reference.class_moments)
    moments = zip(spelled_as(names, classes), reference.class_moments.values(), strict=True)
    return replace(
        reference,
        labels=spelled_as(reference.labels, classes),
        class_moments={str(name): part for name, part in moments},
    )


def chosen_metrics(texts: Sequence[str]) -> dict[str, Metric]:
    """Metrics by their short names: those that are given, else the default ones."""
    return contenders("metric", texts or DEFAULT_METRICS)


def chosen_embedding(text: str | None, generated: ClipSet, reference: ClipSet | FeatureSet | None) -> Embedding:
    """The embedding that is given; else that of reference statistics, else mel statistics at the clips' own rate."""
    if text is not None:
        return cast(Embedding, parsed("embedding", text))
    if isinstance(reference, FeatureSet):
        return embedding_of(reference.card)
    rate = generated.clips[0].load().sample_rate
    return cast(Embedding, genaudio.create("embedding", "mel_statistics", rate=rate))


def embedding_of(card: Mapping[str, Any]) -> Embedding:
    """The embedding that a card of reference statistics tells of."""
    name = card.get("embedding")
    if not isinstance(name, str):
        raise GenaudioError(
            "reference statistics that name no embedding", expected="a card that says how they were made"
        )
    return cast(Embedding, build_block("embedding", {"type": name, **(card.get("embedding_fields") or {})}))
