"""A rehearsal of a run's evaluation before its training: each metric measures noise, of the number and shape to come.

So whatever it asks for (a number of clips, classes, pairs of one name) is asked where nothing is lost yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import torch

import genaudio
from genaudio.core.errors import DataError, GenaudioError, Problem, RecipeError
from genaudio.evaluation.classifier import FEATURES
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.held_out import held_out
from genaudio.evaluation.measuring import embed
from genaudio.evaluation.metrics.base import Metric
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe
from genaudio.runs.evaluation.faults import named
from genaudio.runs.evaluation.needs import embedding_for, is_untrained, lack
from genaudio.runs.evaluation.recipe import NO_CLASSES, metric_paths, metrics_of, reference_of, without_draws
from genaudio.runs.evaluation.sources import spelled_alike
from genaudio.runs.recipe_sampling import sampling_labels
from genaudio.runs.samples import file_name

if TYPE_CHECKING:
    from genaudio.runs.pipeline import RunContext

_ROOM = 2**24  # numbers of a set of noise: frames that are more change nothing of what a metric asks for


def hear_one(context: RunContext, embedding: Embedding) -> FeatureSet:
    """What an embedding hears in the first training clip.

    Raises `GenaudioError` if it cannot, or has no weights, or if features of that clip or of white noise of its level,
    which is what a model generates at first, are not finite.
    """
    clips = context.clips("train")
    waveform = clips.clip(0, context.recipe.seed).waveform
    noise = torch.randn(waveform.shape, generator=torch.Generator().manual_seed(0)) * waveform.square().mean().sqrt()
    name = registry().name_of("embedding", embedding)
    with named("embedding", embedding):
        heard = embed(embedding, name, torch.stack([waveform, noise.to(waveform)]), clips.sample_rate)
    for number, sound in enumerate(("a training clip", "noise")):
        one = heard.select(torch.tensor([number]))
        classes = one.log_probabilities
        if not one.features.isfinite().all() or (classes is not None and classes.isnan().any()):
            raise GenaudioError(
                f"features of {sound} by the embedding {name} that are not finite",
                expected="finite features, which every metric needs",
                mend="look at its settings and weights, or choose another",
            )
    return heard.select(torch.tensor([0]))


def rehearse(context: RunContext) -> None:
    """Raise what evaluations while training cannot compute, and say what the one after it would leave out."""
    recipe = context.recipe
    classes = context.clips("train").classes if recipe.conditioner is not None else ()
    labels = sampling_labels(recipe, classes)
    scene = _Scene(context, reference_of(context)[1])
    if recipe.evaluation.every is not None:
        wanted = [label for label in labels for _ in range(recipe.evaluation.clips_per_class)]
        problems = scene.problems(wanted, [str(number) for number in range(len(wanted))])
        if problems:
            when = f"; an evaluation while training has {len(wanted)} clips"
            raise RecipeError.of([replace(problem, given=problem.given + when) for problem in problems.values()])
    wanted = [label for label in labels for _ in range(recipe.sampling.clips_per_class)]
    names = [f"{file_name(label)}/{number:04d}" for number, label in enumerate(wanted)]
    for name, problem in scene.problems(wanted, names).items():
        expected = f"; expected {problem.expected}" if problem.expected else ""
        context.progress.say(f"note: {name} will be left out: {problem.given}{expected}")
    for name in sorted(scene.not_finite):
        context.progress.say(f"note: {name} of noise is no finite number; where that is so, there is no figure of it")


@dataclass(frozen=True)
class _Shape:
    """What an embedding makes of a clip."""

    frames: int
    dimensions: int
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Scene:
    """The recipe's metrics, what they hear with, and the real clips."""

    context: RunContext
    reference: ClipSet | FeatureSet
    not_finite: set[str] = field(default_factory=set)  # metrics, by their types, whose values of noise are not
    _shapes: dict[str, _Shape] = field(default_factory=dict)  # by embedding

    def problems(self, labels: Sequence[str | None], names: Sequence[str]) -> dict[str, Problem]:
        """What each metric cannot do with clips of these classes and names, by the metric's name."""
        found = {}
        recipe = self.context.recipe
        for (name, metric), path in zip(metrics_of(recipe).items(), metric_paths(recipe), strict=True):
            embedding = embedding_for(metric, recipe.embedding)
            if lack(metric, embedding) is not None:
                continue  # which is told without a rehearsal
            try:
                problem = self._try(metric, embedding, labels, names)
            except GenaudioError as error:
                problem = error.problems[0]
            if problem is not None:
                found[name] = replace(problem, path=path)
        return found

    def _try(
        self, metric: Metric, embedding: Embedding, labels: Sequence[str | None], names: Sequence[str]
    ) -> Problem | None:
        """Measure noise; raises `GenaudioError`, or returns what stands in for a classifier lacks."""
        if is_untrained(embedding) and (reason := self._no_classifier(metric)):
            rate = self.context.clips("train").sample_rate
            embedding = cast(Embedding, genaudio.create("embedding", "mel_statistics", rate=rate))
            if problem := lack(metric, embedding):
                return replace(problem, given=f"{reason}: {problem.given}")
        shape = self._shape(embedding)
        reference: FeatureSet | None = None
        if metric.needs_reference:
            real = spelled_alike(self.reference, sorted({label for label in labels if label is not None}))
            if isinstance(real, FeatureSet):
                reference, shape = real, replace(shape, dimensions=real.features.shape[1])
            else:
                reference = _noise(shape, real.labels, [clip.name for clip in real.clips], 1)
        generated = _noise(shape, labels, names, 0)
        with named("metric", metric):
            if metric.needs == "text":
                metric.texts(labels)
                generated = replace(generated, text=generated.per_clip)
            value = without_draws(metric).measure(generated, reference).value
            if not math.isfinite(value):
                self.not_finite.add(registry().name_of("metric", metric))
        return None

    def _no_classifier(self, metric: Metric) -> str:
        """Why there will be no classifier of the dataset; empty where there will be one, or none is needed."""
        if len(self.context.clips("train").classes) < 2:
            return NO_CLASSES
        return self._nothing_held_out if metric.needs == "log_probabilities" else ""

    @cached_property
    def _nothing_held_out(self) -> str:
        try:
            held_out(self.context.recipe.dataset)
        except DataError as error:
            return f"there will be no classifier: {error.problems[0].given}"
        return ""

    def _shape(self, embedding: Embedding) -> _Shape:
        if is_untrained(embedding):
            return _Shape(1, FEATURES, self.context.clips("train").classes)
        key = str(describe("embedding", embedding))
        if key not in self._shapes:
            heard = hear_one(self.context, embedding)
            frames, dimensions = heard.features.shape
            self._shapes[key] = _Shape(frames, dimensions, heard.classes)
        return self._shapes[key]


def _noise(shape: _Shape, labels: Sequence[str | None], names: Sequence[str], seed: int) -> FeatureSet:
    count, generator = len(labels), torch.Generator().manual_seed(seed)
    enough = max(2, _ROOM // (count * shape.dimensions), math.ceil(8 * shape.dimensions / count))

    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    noise = FeatureSet.of(
        drawn(count, min(shape.frames, enough), shape.dimensions),
        labels=labels,
        log_probabilities=drawn(count, len(shape.classes)).log_softmax(1) if shape.classes else None,
        classes=shape.classes,
    )
    return replace(noise, names=tuple(names))
