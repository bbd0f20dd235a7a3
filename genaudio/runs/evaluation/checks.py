"""What is wrong with a recipe's evaluation, found before hours of training: with paths of the recipe's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genaudio.core.errors import GenaudioError, Problem, RecipeError, problems_at
from genaudio.core.recipe import load_recipe
from genaudio.core.yaml_writer import inline
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.feature_settings import CHANNELS
from genaudio.evaluation.measuring import embedding_card
from genaudio.evaluation.reference_statistics import check_same_embedding
from genaudio.runs.evaluation.needs import embedding_for, is_untrained, lack
from genaudio.runs.evaluation.recipe import SPLITS, best_by, metric_paths, metrics_of
from genaudio.runs.evaluation.rehearsal import hear_one, rehearse
from genaudio.runs.evaluation.sources import embedding_of, is_recipe, open_reference

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe
    from genaudio.datasets.base import Split
    from genaudio.runs.pipeline import RunContext


def check_recipe(recipe: Recipe) -> list[Problem]:
    """Raise what is wrong with a recipe's evaluation and can be seen without its dataset, with paths of the recipe.

    Returns what is wrong with metrics that are left out for it, because they are measured after training alone.
    """
    periodic = recipe.evaluation.every is not None
    wrong: list[Problem] = []
    if periodic:
        wrong += _problems(best_by, recipe)
    if metrics_of(recipe) and recipe.evaluation.reference not in SPLITS:
        wrong += _problems(_check_reference, recipe)
    lacks = []
    for (name, metric), path in zip(metrics_of(recipe).items(), metric_paths(recipe), strict=True):
        try:
            with problems_at("embedding" if metric.protocol_embedding is None else path):
                problem = lack(metric, embedding_for(metric, recipe.embedding))
        except GenaudioError as error:
            wrong += error.problems
            continue
        if problem is not None:
            given = problem.given if periodic else f"{name} will be left out: {problem.given}"
            lacks.append(replace(problem, given=given, path=path))
    if wrong := [*wrong, *(lacks if periodic else ())]:
        raise RecipeError.of(list(dict.fromkeys(wrong)))
    return lacks


def _problems(check: Callable[[Recipe], object], recipe: Recipe) -> tuple[Problem, ...]:
    try:
        check(recipe)
    except GenaudioError as error:
        return error.problems
    return ()


def _check_reference(recipe: Recipe) -> None:
    """Raise `GenaudioError` for a reference that is not there, or that another embedding made than the recipe's."""
    source, embedding = recipe.evaluation.reference, recipe.embedding
    with problems_at("evaluation.reference"):
        if is_recipe(Path(source)):
            load_recipe(source)
            return
        reference = open_reference(Path(source))
        if not isinstance(reference, FeatureSet):
            return
        if is_untrained(embedding):
            raise RecipeError(
                f"{source}, and the embedding a classifier that the run has yet to train",
                expected="the embedding that the statistics were made with",
                mend=_as_the_statistics(reference.card),
            )
    with problems_at("embedding"):
        card = embedding_card(embedding, str(recipe.type_name("embedding"))) | {"channels": CHANNELS}
    with problems_at("evaluation.reference"):
        check_same_embedding(card, reference.card, source, _as_the_statistics(reference.card))


def _as_the_statistics(card: Mapping[str, Any]) -> str:
    """What to write in a recipe for the embedding of statistics with this card: its fields that are no defaults."""
    fields = card.get("embedding_fields") or {}
    with suppress(GenaudioError):  # of a plugin that is not installed: all its fields
        fields = embedding_of(card).model_dump(mode="json", exclude_defaults=True)
    block = inline({"type": card.get("embedding"), **fields})
    return f"write embedding: {block}, or make the statistics anew with the recipe's embedding"


def check_evaluation(context: RunContext, *, training: bool) -> None:
    """Raise what an evaluation would stumble over after hours of training, and say what would be left out of it."""
    recipe = context.recipe
    for problem in check_recipe(recipe):
        context.progress.say(f"note: {problem.given}")
    if not metrics_of(recipe):
        if recipe.audit.enabled:
            check_embedding(context)
        return
    check_embedding(context)
    if recipe.evaluation.reference in SPLITS:
        context.clips(cast("Split", recipe.evaluation.reference))
    if training:
        rehearse(context)


def check_embedding(context: RunContext) -> None:
    """Raise `GenaudioError` if the embedding's weights are not there, or it cannot hear a training clip."""
    if not is_untrained(context.recipe.embedding):
        with problems_at("embedding"):
            hear_one(context, context.recipe.embedding)
