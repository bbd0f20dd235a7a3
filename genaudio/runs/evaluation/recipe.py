"""What a recipe evaluates with: its metrics, its embedding with weights, and the real clips to compare with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import genaudio
from genaudio.core.errors import DataError, Problem, RecipeError
from genaudio.core.registry import suggestion
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.classifier import ClassifierEmbedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Metric
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe
from genaudio.runs.classifier import ClassifierRequest, make_classifier
from genaudio.runs.contenders import short_name
from genaudio.runs.evaluation.sources import open_reference

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe
    from genaudio.datasets.base import Split
    from genaudio.runs.pipeline import RunContext

SPLITS = ("train", "validation", "test")
NO_CLASSES = "the dataset has no classes to train a classifier on"
_EVERY, _BEST_BY = "evaluation.every", "evaluation.best_by"


def metrics_of(recipe: Recipe) -> dict[str, Metric]:
    """The recipe's metrics by their types, those of one type by what differs; none where it says null."""
    block: Any = recipe.metric
    metrics = () if block is None else block if isinstance(block, tuple) else (block,)
    types = [registry().name_of("metric", metric) for metric in metrics]
    return {
        kind if types.count(kind) == 1 else name: metric
        for kind, (name, metric) in zip(types, ((short_name("metric", one), one) for one in metrics), strict=True)
    }


def best_by(recipe: Recipe) -> str:
    """The name of the metric that the best weights are chosen by; raises `RecipeError` where there is none such."""
    names = list(metrics_of(recipe))
    wanted, every = recipe.evaluation.best_by, recipe.evaluation.every
    if not names:
        raise RecipeError.of([Problem(f"{every}, while metric is null", "a metric to evaluate by", path=_EVERY)])
    if wanted is None:
        return names[0]
    if wanted not in names:
        expected = f"one of the recipe's metrics: {', '.join(names)}"
        raise RecipeError.of([Problem(repr(wanted), expected, suggestion(wanted, names), _BEST_BY)])
    return wanted


def choice_of(recipe: Recipe) -> tuple[Any, ...]:
    """What decides which weights of a training become the model: `last`, or the metric and all that it depends on."""
    evaluation = recipe.evaluation
    if evaluation.keep == "last":
        return ("last",)
    metrics = metrics_of(recipe)
    metric = metrics.get(evaluation.best_by or next(iter(metrics), ""))
    by = None if metric is None else describe("metric", without_draws(metric))
    return ("best", by, describe("embedding", recipe.embedding), evaluation.reference, evaluation.reference_clips)


def without_draws(metric: Metric) -> Metric:
    """The metric without its bootstrap, which a course over steps has no use for."""
    return metric.model_copy(update={"draws": 0}) if "draws" in type(metric).model_fields else metric


def metric_paths(recipe: Recipe) -> list[str]:
    """Where in the recipe each metric stands, in the order of `metrics_of`."""
    block: Any = recipe.metric
    if isinstance(block, tuple):
        return [f"metric.{number}" for number in range(len(block))]
    return [] if block is None else ["metric"]


@dataclass(frozen=True)
class EvaluationParts:
    """Metrics by name, the embedding with its weights, the real clips, and what a reader should know of the choice."""

    metrics: Mapping[str, Metric]
    embedding: Embedding
    reference: ClipSet | FeatureSet
    reference_name: str
    notes: tuple[str, ...]


def evaluation_parts(context: RunContext) -> EvaluationParts:
    """All of it for a run; trains the classifier of the run's dataset where the recipe asks for one."""
    source, reference = reference_of(context)
    embedding, notes = run_embedding(context)
    return EvaluationParts(metrics_of(context.recipe), embedding, reference, source, notes)


def reference_of(context: RunContext) -> tuple[str, ClipSet | FeatureSet]:
    """The real clips that the recipe compares with, and what they are called."""
    recipe = context.recipe
    wanted = recipe.evaluation.reference
    if wanted not in SPLITS:
        return wanted, open_reference(Path(wanted))
    source = f"{recipe.type_name('dataset')}, {wanted}"
    clips = context.clips(cast("Split", wanted))
    return source, ClipSet.of_clips(clips, recipe.evaluation.reference_clips, seed=recipe.seed, source=source)


def run_embedding(context: RunContext) -> tuple[Embedding, tuple[str, ...]]:
    """The recipe's embedding, a `classifier` without weights trained on the run's dataset, and notes on it.

    The classifier is kept in the run directory and trained once. Of a dataset without classes, or that holds nothing
    out, there is none to train: mel statistics take its place, which a note says.
    """
    recipe, folder = context.recipe, context.directory.classifier
    embedding = recipe.embedding
    if not isinstance(embedding, ClassifierEmbedding) or embedding.weights is not None:
        return embedding, ()
    if len(context.clips("train").classes) < 2:
        return _without_classifier(context, NO_CLASSES)
    request = ClassifierRequest(embedding.steps, embedding.seed, recipe.device, snrs=(20.0,))
    if not _is_of(folder, recipe, request):
        context.progress.say(f"training a classifier to evaluate with, {request.steps} steps, kept in {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            make_classifier(recipe.dataset, folder, request, context.progress)
        except DataError as error:  # nothing is held out to measure it on, for example
            return _without_classifier(context, f"there is no classifier: {error.problems[0].given}")
    return embedding.with_weights(folder), ()


def _without_classifier(context: RunContext, reason: str) -> tuple[Embedding, tuple[str, ...]]:
    rate = context.clips("train").sample_rate
    embedding = cast(Embedding, genaudio.create("embedding", "mel_statistics", rate=rate))
    return embedding, (f"{reason}: mel_statistics is the embedding instead",)


def _is_of(folder: Path, recipe: Recipe, request: ClassifierRequest) -> bool:
    """Whether the classifier in `folder` is what this recipe would train."""
    try:
        facts = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))["facts"]
        wanted = json.loads(json.dumps(describe("dataset", recipe.dataset)))
        return bool(facts["dataset"] == wanted and facts["steps"] == request.steps and facts["seed"] == request.seed)
    except (OSError, ValueError, KeyError, TypeError):
        return False
