"""The Fréchet audio distance extrapolated to infinitely many clips."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import half_samples
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Gaussian
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import GENERATED, alike, one_row_a_clip, reference_gaussian
from genaudio.evaluation.metrics.sampled import Sampled, needed


class FADInfinity(Sampled):
    """FAD without the bias of its counts: its line in 1/N at 1/N = 0 (Chong and Forsyth 2020, arXiv 1911.07023).

    A Fréchet distance of N clips reads too high by about c/N (of audio: Gui et al. 2023, arXiv 2311.01616). Both sets
    are cut at random into k disjoint parts, k = 1, 2, … `sizes`; the mean distance of the parts is a point at k/N of
    the line. So the parts are drawn without replacement, and the reference's bias goes with the generated clips'. The
    published way extrapolates over the generated clips alone (`extrapolate: generated`), which leaves the reference's.

    It can be negative: where the true distance is 0 it lies on both sides of 0. The interval is that of half samples of
    both sets. The line is straight from about one row a dimension on, so that two in each set are the least.
    """

    extrapolate: Literal["both", "generated"] = parameter(
        "both", description="Sets that are cut into parts: both, or the generated clips alone, as published"
    )
    sizes: int = parameter(3, ge=2, le=10, description="Points of the line; fewer where parts have too few rows")
    repeats: int = parameter(4, ge=1, description="Random divisions that each point is the mean of")
    frames: Literal["all", "mean"] = parameter(
        "all", description="Every frame is a row, or the mean of a clip's frames"
    )
    draws: int = parameter(100, ge=0, description="Draws of half of the clips for the interval; 0: none")

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The intercept, and its interval."""
        reference = needed(reference)
        if self.frames == "mean":
            generated, reference = one_row_a_clip(generated, reference)
        real = reference_gaussian(reference)
        fixed = None if self.extrapolate == "both" and reference.clips else real
        parts = self._parts(generated, None if fixed else reference)
        generator = torch.Generator().manual_seed(self.seed)
        line = _Line(generated, reference, fixed, generator)
        everything = torch.arange(generated.clips), torch.arange(reference.clips)
        points = line.points(*everything, parts, self.repeats)
        value = _intercept(points)
        drawn = half_samples(
            lambda ours, theirs: _intercept(line.points(ours, everything[1] if fixed else theirs, 2, 1)),
            (generated.clips, reference.clips),
            draws=self.draws,
            seed=self.seed,
        )
        notes = ["extrapolated over the generated clips alone: the reference's bias is in it"] if fixed else []
        return self.measurement(
            value,
            drawn,
            generated,
            reference,
            notes=notes + alike(generated),
            method="half samples of the generated clips" + ("" if fixed else " and of the reference"),
            dimensions=generated.features.shape[1],
            frames=self.frames,
            extrapolated="generated" if fixed else "both",
            points=[[generated.clips // (number + 1), point] for number, point in enumerate(points)],
        )

    def _parts(self, generated: FeatureSet, reference: FeatureSet | None) -> int:
        """Into how many parts the sets can be cut with more rows than dimensions in each; raises `GenaudioError`."""
        dimensions = generated.features.shape[1]
        sets = [generated] if reference is None else [generated, reference]
        rows = min(len(one.features) for one in sets)
        # The interval cuts half of the clips in two: two clips in each of those parts.
        most = min(rows // max(dimensions, 2), *(one.clips // 4 for one in sets), self.sizes)
        if most < 2:
            raise GenaudioError(
                f"FAD-infinity of {rows} rows of {dimensions} dimensions, {min(one.clips for one in sets)} clips",
                expected=f"at least {2 * dimensions} rows in each set, of at least 8 clips",
                mend="more clips, an embedding of fewer dimensions, or `kad`, which has no bias",
            )
        return most


class _Line:
    """Distances of parts of the two sets; of parts of the first from the whole second where that one is `fixed`."""

    def __init__(
        self, generated: FeatureSet, reference: FeatureSet, fixed: Gaussian | None, generator: torch.Generator
    ) -> None:
        self.generated = generated
        self.reference = reference
        self.fixed = fixed
        self.generator = generator

    def points(self, ours: Tensor, theirs: Tensor, parts: int, repeats: int) -> list[float]:
        """The mean distance of k parts, k from 1 to `parts`, of these clips."""
        points = [self._distance(ours, theirs)]
        for k in range(2, parts + 1):
            values = [
                self._distance(*part)
                for _ in range(repeats)
                for part in zip(self._cut(ours, k), self._cut(theirs, k), strict=True)
            ]
            points.append(sum(values) / len(values))
        return points

    def _cut(self, clips: Tensor, parts: int) -> tuple[Tensor, ...]:
        return clips[torch.randperm(len(clips), generator=self.generator)].tensor_split(parts)

    def _distance(self, ours: Tensor, theirs: Tensor) -> float:
        real = self.fixed or Gaussian.of(self.reference.select(theirs).features, "the reference's features")
        return Gaussian.of(self.generated.select(ours).features, GENERATED).distance(real)


def _intercept(points: list[float]) -> float:
    """At 0 of the least-squares line through points at 1, 2, …"""
    values = torch.tensor(points, dtype=torch.float64)
    at = torch.arange(1, len(points) + 1, dtype=torch.float64)
    slope = ((at - at.mean()) * (values - values.mean())).sum() / (at - at.mean()).square().sum()
    return float(values.mean() - slope * at.mean())
