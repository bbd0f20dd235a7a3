"""What a benchmark says of a sampler: how far its ends lie from the exact ones, and how its clips compare to real ones.

Shapes: x (items, features, freq, time); waveform (items, channels, time).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.log_spectral_distance import log_spectral_distance
from genaudio.evaluation.measuring import embed, measure
from genaudio.evaluation.metrics.base import Metric
from genaudio.plugins.manager import registry
from genaudio.runs.evaluation.faults import named
from genaudio.runs.starts import Starts


class Judge:
    """Measures ends of trajectories against the reference's, and their clips against real ones if there are any.

    `reference_metrics` are those of the reference's clips; `notes` say which could not be computed, `cards` how the
    others were.
    """

    def __init__(
        self,
        starts: Starts,
        reference: Tensor,
        real: Tensor | None,
        metrics: Mapping[str, Metric],
        embedding: Embedding,
    ) -> None:
        self._starts, self._reference = starts, reference
        self._metrics, self._embedding = metrics, embedding
        self._rate = starts.model.sample_rate
        self._waveform = starts.decode(reference)
        self._name_of_embedding = _type("embedding", embedding)
        self._real = None if real is None else self._heard(real)
        self.cards: dict[str, Any] = {}
        self.reference_metrics, self.notes = self._measured(self._waveform)

    def __call__(self, ends: Tensor, *, comparable: bool) -> dict[str, Any]:
        """The numbers of a cell; without errors where the ends are not `comparable` (a stochastic solver's)."""
        if not bool(ends.isfinite().all()):
            return {"note": "its clips are not finite"}
        waveform = self._starts.decode(ends)
        metrics, notes = self._measured(waveform)
        found: dict[str, Any] = {"metrics": metrics}
        if comparable:
            size = self._reference.double().square().mean().sqrt()
            each = (ends.double() - self._reference.double()).flatten(1).square().mean(1).sqrt() / size
            distance = log_spectral_distance(waveform, self._waveform, self._rate)
            found |= {
                "error_rms": float(each.square().mean().sqrt()),
                "error_median": float(each.median()),
                "log_spectral_distance_db": float(distance.mean()),
            }
        else:
            notes = ["it draws fresh noise, so its ends are not those of the reference", *notes]
        new = [note for note in notes if note not in self.notes]
        return found | ({"note": "; ".join(new)} if new else {})

    def _measured(self, waveform: Tensor) -> tuple[dict[str, Any], list[str]]:
        """Values and intervals by name, and notes on the metrics that cannot be computed."""
        values: dict[str, Any] = {}
        notes: list[str] = []
        if self._real is None:
            return values, notes
        features = self._heard(waveform)
        for name, metric in self._metrics.items():
            try:
                with named("metric", metric):
                    found = measure(metric, features, self._real)
                    finite = all(map(math.isfinite, (found.value, *found.interval)))
            except GenaudioError as error:
                notes.append(f"{name} is left out: {error.problems[0].given}")
                continue
            if not finite:
                notes.append(f"{name} is left out: its value or interval is not finite")
                continue
            values[name] = {"value": found.value, "interval": list(found.interval)}
            self.cards[name] = {"metric": _type("metric", metric), **found.card}
        return values, notes

    def _heard(self, waveform: Tensor) -> FeatureSet:
        return embed(self._embedding, self._name_of_embedding, waveform, self._rate)


def _type(kind: str, component: Component) -> str:
    return registry().name_of(kind, component)
