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
from genaudio.core.wording import listed
from genaudio.evaluation.bootstrap import bootstrap, centred_interval
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement, Metric

FEWEST = 4  # clips of a set: draws of fewer are hardly an interval, and half of fewer make no pair
_NAMED = 3  # classes that a note names
_SINGLE = "of one clip there is no interval, and it adds nothing to that of a mean"


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
        drawn = self._drawn(statistic, generated, self.seed)
        notes = [*notes, *_single(generated)]
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
        spreads = []
        notes: dict[str, list[str]] = {}
        for number, (label, part) in enumerate(parts.items()):
            value = part.statistic(torch.arange(part.generated.clips))
            drawn = self._drawn(part.statistic, part.generated, self.seed + number)
            own = [*part.notes, *_single(part.generated)]
            found[label] = self.measurement(
                value, drawn, part.generated, part.reference, bounds=bounds, notes=own, **facts
            )
            spreads += [drawn] if len(drawn) else []
            for note in own:
                notes.setdefault(note, []).append(label)
        measurement = self.measurement(
            sum(one.value for one in found.values()) / len(found),
            torch.stack(spreads).sum(0) / len(found) if spreads else torch.empty(0, dtype=torch.float64),
            generated,
            reference,
            bounds=bounds,
            notes=[f"{_these(labels, len(found))}: {note}" for note, labels in notes.items()],
            method="bootstrap over the generated clips of each class, centred",
            mean_of_classes=len(found),
            **facts,
        )
        return replace(measurement, by_class=found)

    def _drawn(self, statistic: Callable[[Tensor], float], generated: FeatureSet, seed: int) -> Tensor:
        """The statistic of clips drawn anew; none of a single clip, which would be drawn each time."""
        draws = self.draws if generated.clips > 1 else 0
        return bootstrap(statistic, generated.clips, draws=draws, seed=seed)

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
            "interval": method if len(drawn) else "none",
            "draws": self.draws,
            "coverage": self.coverage,
        }
        if notes:
            card["notes"] = list(notes)
        low, high = (min(max(end, bounds[0]), bounds[1]) for end in centred_interval(drawn, value, self.coverage))
        return Measurement(value, (low, high), card)


def _single(generated: FeatureSet) -> list[str]:
    return [_SINGLE] if generated.clips == 1 else []


def _these(labels: Sequence[str], of: int) -> str:
    """The classes that a note holds for, not spelled out where those are many, or all."""
    return f"all {of} classes" if len(labels) == of > _NAMED else listed(labels, _NAMED)


def enough_clips(clips: FeatureSet, metric: str, of: str = "") -> None:
    """Raise `GenaudioError` for fewer than `FEWEST` clips, `of` saying of what they are needed."""
    if clips.clips < FEWEST:
        raise GenaudioError(
            f"{'one clip' if clips.clips == 1 else f'{clips.clips} clips'} for `{metric}`",
            expected=f"at least {FEWEST}{of and ' '}{of}",
            mend="more clips",
        )


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
