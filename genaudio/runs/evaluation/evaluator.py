"""An evaluation: metrics of generated clips, most beside real ones, each with its interval and how it was computed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import genaudio
from genaudio.core.errors import GenaudioError, PluginError, Problem, RunError
from genaudio.core.progress import Progress
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import with_text
from genaudio.evaluation.metrics.base import Measurement, Metric
from genaudio.evaluation.reference_statistics import check_same_embedding
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe
from genaudio.runs.evaluation.faults import named
from genaudio.runs.evaluation.needs import embedding_for, lack
from genaudio.runs.evaluation.notes import notes_on
from genaudio.runs.evaluation.sources import spelled_alike
from genaudio.training.device import resolve_device

FORMAT = 1
# What a card says of a set of clips, the rest being how it was heard.
_SET_FACTS = ("clips", "silent_clips", "sample_rates", "seconds")


@dataclass(frozen=True)
class EvaluationRequest:
    """What to measure, with what, and beside what.

    A metric whose protocol prescribes an embedding gets that one, unless `embedding_chosen`: then the user's choice
    holds for all. A metric that cannot be computed is an error where `required`, else a note.
    """

    generated: ClipSet
    reference: ClipSet | FeatureSet | None
    metrics: Mapping[str, Metric]  # by the names that results have
    embedding: Embedding
    embedding_chosen: bool = False
    required: bool = True
    reference_name: str = ""

    def embedding_of(self, metric: Metric) -> Embedding:
        """What this metric hears with."""
        return self.embedding if self.embedding_chosen else embedding_for(metric, self.embedding)


class Evaluator:
    """Does what a request asks for. Each set of clips is heard once by each embedding, and never if it is cached."""

    def __init__(
        self,
        request: EvaluationRequest,
        *,
        device: str = "auto",
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.request = request
        self._device = resolve_device(device)
        self._cache, self._progress = cache, progress or Progress()
        self.left_out: list[str] = []  # what `results` could not measure, and why
        self._heard: dict[tuple[str, str], FeatureSet] = {}
        reference = request.reference
        self._reference = None if reference is None else spelled_alike(reference, request.generated.classes)

    def results(self) -> dict[str, Any]:
        """What `--json` writes; raises `GenaudioError` with everything that keeps metrics from being computed."""
        request = self.request
        metrics, problems = self._possible()
        found = []
        cause: GenaudioError | None = None
        for name, metric in list(metrics.items()):  # what is wrong with clips is no matter of a single metric
            try:
                self._hear_for(metric)
            except PluginError as error:  # what is wrong with an embedding is one of those that hear with it
                problems += [replace(problem, path=name) for problem in error.problems]
                cause = cause or error
                del metrics[name]
        self._check_sound()
        for name, metric in metrics.items():
            try:
                found.append(self._entry(name, metric))
            except GenaudioError as error:
                problems += [replace(problem, path=problem.path or name) for problem in error.problems]
                cause = cause or error
        if problems and (request.required or not found):
            raise GenaudioError.of(list(dict.fromkeys(problems))) from cause
        cards = [self._card_of(side) for side in ("generated", "reference")]
        self.left_out = [f"{problem.path} is left out: {problem.given}" for problem in problems]
        return {
            "format": FORMAT,
            "genaudio": genaudio.__version__,
            "generated": self._set_facts(str(request.generated.folder), cards[0]),
            "reference": None if cards[1] is None else self._set_facts(self._source, cards[1]),
            "device": self._device.type,
            "metrics": found,
            "notes": notes_on(request.generated.classes, self._classes_of_reference(), *cards) + self.left_out,
        }

    def reference_features(self) -> FeatureSet:
        """What the request's embedding hears in the reference, for `save_statistics`; its own spelling of classes."""
        given = self.request.reference
        if given is None:
            raise RunError("no reference", expected="one, whose statistics are to be saved", mend="give --reference")
        if isinstance(given, FeatureSet):
            return given
        return replace(self._hear("reference", given, self.request.embedding), labels=given.labels)

    def _possible(self) -> tuple[dict[str, Metric], list[Problem]]:
        """The metrics that have what they need, before anything is heard, and what the others lack."""
        problems = []
        possible = {}
        for name, metric in self.request.metrics.items():
            problem = self._missing(metric)
            if problem is None:
                possible[name] = metric
            else:
                problems.append(replace(problem, path=name))
        if problems and (self.request.required or not possible):
            raise GenaudioError.of(problems)
        return possible, problems

    def _missing(self, metric: Metric) -> Problem | None:
        """What the metric lacks."""
        if metric.needs_reference and self.request.reference is None:
            return Problem("no reference", "real clips to compare with", "give --reference DIR, a recipe or statistics")
        return lack(metric, self.request.embedding_of(metric))

    def _entry(self, name: str, metric: Metric) -> dict[str, Any]:
        """A metric as the results hold it."""
        request, embedding = self.request, self.request.embedding_of(metric)
        generated, reference = self._hear_for(metric)
        if reference is not None:
            check_same_embedding(generated.card, reference.card, self._source)
        if metric.needs == "text":
            with named("metric", metric):
                texts = metric.texts(generated.labels)
            with named("embedding", embedding):
                generated = with_text(generated, texts, embedding)
        with named("metric", metric):
            measurement = metric.measure(generated, reference)
            figures, own_card = _plain(measurement), _plain_card(measurement)
            notes = [*own_card.get("notes", ()), *_not_finite(measurement)]
        card = {key: fact for key, fact in generated.card.items() if key not in _SET_FACTS}
        silent = {"generated": generated.card["silent_clips"]}
        if reference is not None:
            silent["reference"] = reference.card.get("silent_clips")
        if request.embedding_chosen and metric.protocol_embedding is not None:
            notes.append(f"with another embedding than its protocol's ({metric.protocol_embedding['type']})")
        return {
            "name": name,
            "metric": describe("metric", metric),
            "better": metric.better,
            **figures,
            "card": card | {"silent_clips": silent} | own_card | ({"notes": notes} if notes else {}),
        }

    def _hear_for(self, metric: Metric) -> tuple[FeatureSet, FeatureSet | None]:
        """What the metric's embedding hears in the generated clips, and in the reference if the metric needs it."""
        embedding, reference = self.request.embedding_of(metric), self._reference
        generated = self._hear("generated", self.request.generated, embedding)
        if not metric.needs_reference or reference is None:
            return generated, None
        if isinstance(reference, FeatureSet):
            return generated, reference
        return generated, self._hear("reference", reference, embedding)

    def _hear(self, side: str, clips: ClipSet, embedding: Embedding) -> FeatureSet:
        """What an embedding hears in one side's clips, once."""
        name = registry().name_of("embedding", embedding)
        key = (side, str(describe("embedding", embedding)))
        if key not in self._heard:
            self._progress.say(f"evaluate: {name} hears the {len(clips.clips)} clips of {clips.folder}")
            with named("embedding", embedding):
                self._heard[key] = clip_features(
                    embedding, name, clips, device=self._device, cache=self._cache, progress=self._progress
                )
        return self._heard[key]

    def _check_sound(self) -> None:
        """Raise `GenaudioError` if no clip of a side has any sound: what is measured then says nothing of a model."""
        wrong = []
        for side, source in (("generated", str(self.request.generated.folder)), ("reference", self._source)):
            card = self._card_of(side) or {}
            if card.get("silent_clips") and card["silent_clips"] == card.get("clips"):
                wrong.append(
                    Problem(
                        f"every clip of {source} is silent (the {card['clips']} {side} clips peak below -60 dBFS)",
                        "clips with sound",
                        "listen to them: turn up what is merely quiet, and look for what wrote zeros",
                    )
                )
        if wrong:
            raise GenaudioError.of(wrong)

    def _card_of(self, side: str) -> Mapping[str, Any] | None:
        """The card of a side, of the first embedding that heard it."""
        if side == "reference" and isinstance(self._reference, FeatureSet):
            return self._reference.card
        return next((heard.card for (other, _), heard in self._heard.items() if other == side), None)

    def _set_facts(self, source: str, card: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"source": source, **{key: (card or {}).get(key) for key in _SET_FACTS}}

    def _classes_of_reference(self) -> tuple[str, ...]:
        reference = self._reference
        if reference is None:
            return ()
        return reference.classes if isinstance(reference, ClipSet) else reference.found_classes

    @property
    def _source(self) -> str:
        """What the reference is called."""
        reference = self.request.reference
        return self.request.reference_name or (str(reference.folder) if isinstance(reference, ClipSet) else "reference")


def _plain(measurement: Measurement) -> dict[str, Any]:
    """Value, interval and those of the classes as JSON holds them: what is not finite is null."""
    return {
        "value": _finite(measurement.value),
        "interval": [_finite(end) for end in measurement.interval],
        "by_class": {
            label: {key: part for key, part in _plain(one).items() if key != "by_class"} | {"card": _plain_card(one)}
            for label, one in measurement.by_class.items()
        },
    }


def _plain_card(measurement: Measurement) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(dict(measurement.card)), parse_constant=lambda _: None)
    return plain


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _not_finite(measurement: Measurement) -> list[str]:
    """What a reader must know of values that JSON has no numbers for."""
    values = {"": measurement.value} | {f" of {label}": one.value for label, one in measurement.by_class.items()}
    return [
        f"the value{of} is {float(value)}, no finite number" for of, value in values.items() if _finite(value) is None
    ]
