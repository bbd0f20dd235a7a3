"""What metrics share whose interval comes from drawing clips anew."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import bootstrap, centred_interval
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement, Metric


@dataclass(frozen=True)
class Part:
    """One class of two sets: its clips, the statistic of the generated ones, and what limits it."""

    generated: FeatureSet
    reference: FeatureSet | None
    statistic: Callable[[Tensor], float]
    notes: Sequence[str] = ()


class Sampled(Metric, ABC):
    """A metric with a bootstrap interval over the generated clips, and a card that says so."""

    draws: int = parameter(200, ge=0, description="Draws of clips for the interval; 0: none")
    coverage: float = parameter(0.95, gt=0, lt=1, description="Share of the draws that the interval holds")
    seed: int = parameter(0, ge=0, description="Seed of the draws")

    def bootstrapped(
        self,
        statistic: Callable[[Tensor], float],
        generated: FeatureSet,
        reference: FeatureSet | None,
        *,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        notes: Sequence[str] = (),
        **facts: Any,
    ) -> Measurement:
        """The statistic of all generated clips, with its interval: `statistic` is given the numbers of clips."""
        value = statistic(torch.arange(generated.clips))
        drawn = bootstrap(statistic, generated.clips, draws=self.draws, seed=self.seed)
        return self.measurement(value, drawn, generated, reference, bounds=bounds, notes=notes, **facts)

    def of_classes(
        self,
        parts: Mapping[str, Part],
        generated: FeatureSet,
        reference: FeatureSet | None,
        *,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        **facts: Any,
    ) -> Measurement:
        """The mean over classes, each measured apart, and drawn apart for the interval."""
        found: dict[str, Measurement] = {}
        total = torch.zeros(self.draws, dtype=torch.float64)
        notes: dict[str, list[str]] = {}
        for number, (label, part) in enumerate(parts.items()):
            value = part.statistic(torch.arange(part.generated.clips))
            drawn = bootstrap(part.statistic, part.generated.clips, draws=self.draws, seed=self.seed + number)
            found[label] = self.measurement(
                value, drawn, part.generated, part.reference, bounds=bounds, notes=part.notes, **facts
            )
            total += drawn
            for note in part.notes:
                notes.setdefault(note, []).append(label)
        measurement = self.measurement(
            sum(one.value for one in found.values()) / len(found),
            total / len(found),
            generated,
            reference,
            bounds=bounds,
            notes=[f"{', '.join(labels)}: {note}" for note, labels in notes.items()],
            method="bootstrap over the generated clips of each class, centred",
            mean_of_classes=len(found),
            **facts,
        )
        return replace(measurement, by_class=found)

    def measurement(
        self,
        value: float,
        drawn: Tensor,
        generated: FeatureSet,
        reference: FeatureSet | None,
        *,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        notes: Sequence[str] = (),
        method: str = "bootstrap over the generated clips, centred",
        **facts: Any,
    ) -> Measurement:
        """The value with a card of counts, of how the interval was found, `facts`, and the `notes` that limit it.

        `drawn` (draws,) are values of clips drawn anew; the interval is cut to `bounds`, beyond which there are none.
        """
        if not math.isfinite(value):
            raise GenaudioError(f"{type(self).__name__} is {value}", expected="a number", mend="look at the features")
        card: dict[str, Any] = {"generated": generated.clips}
        if reference is not None and reference.moments is not None:
            card |= {"reference": reference.moments.count, "reference_is": "moments of so many rows"}
        elif reference is not None:
            card["reference"] = reference.clips
        if len(generated.features) != generated.clips:
            card["generated_rows"] = len(generated.features)
        card |= {
            **facts,
            "interval": method if self.draws else "none",
            "draws": self.draws,
            "coverage": self.coverage,
        }
        if notes:
            card["notes"] = list(notes)
        low, high = (min(max(end, bounds[0]), bounds[1]) for end in centred_interval(drawn, value, self.coverage))
        return Measurement(value, (low, high), card)


def needed(reference: FeatureSet | None) -> FeatureSet:
    """The reference; raises `GenaudioError` where there is none."""
    if reference is None:
        raise GenaudioError("no reference", expected="real clips to compare with", mend="name a reference")
    return reference


def clips_needed(reference: FeatureSet | None, metric: str) -> FeatureSet:
    """The reference; raises `GenaudioError` where there is none or its moments alone, of which a metric is not made."""
    reference = needed(reference)
    if reference.moments is not None and not reference.clips:
        raise GenaudioError(
            f"a reference of which only mean and covariance are known, for `{metric}`",
            expected="the features of its clips",
            mend="name the folder of real clips, or use `fad` or `fid`, which need no more than moments",
        )
    return reference
