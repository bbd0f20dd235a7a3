"""The kernel audio distance (Chung et al. 2025, arXiv 2502.15602).

Shapes: features (rows, dimensions); kernel (rows of a block, rows or clips); chosen (clips, draws), 1 where a clip is
drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import half_draws
from genaudio.evaluation.distances import squared_distances
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import checked_features
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import GENERATED, REFERENCE, alike
from genaudio.evaluation.metrics.sampled import Sampled, clips_needed, enough_clips

_MEDIAN_OF = 4096  # rows that the bandwidth is taken from
_BLOCK = 2**22  # pairs of rows whose kernels are in memory together
_FEW = 50  # clips below which the interval is wide for most purposes


class KAD(Sampled):
    """The squared maximum mean discrepancy, unbiased, times `scale` (Gretton et al. 2012, eq. 3).

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y) with k(a, b) = exp(-|a - b|^2 / (2 b^2)), over pairs of rows of
    different clips; the bandwidth b is the median distance of pairs of the reference (of an even number of pairs the
    lower of the two in the middle), so that figures beside one reference share one kernel. Without bias it is 0 in the
    mean for equal distributions at any count, and so at times negative. No Gaussian is assumed. Its interval is that of
    half samples of both sets. The kernel is computed block by block, for all draws at once: time grows with the square
    of the rows, memory with the clips times the draws.
    """

    scale: float = parameter(
        100.0, gt=0, description="Factor of the discrepancy", source="the authors' toolkit, kadtk (SCALE_FACTOR)"
    )
    frames: Literal["all", "mean"] = parameter(
        "mean", description="Every frame is a row, or the mean of a clip's frames"
    )
    draws: int = parameter(200, ge=0, description="Draws of half of the clips for the interval; 0: none")

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The distance, and its interval."""
        reference = clips_needed(reference, "kad")
        if self.frames == "mean":
            generated, reference = generated.averaged(), reference.averaged()
        for features, name in ((generated, GENERATED), (reference, REFERENCE)):
            enough_clips(features, "kad", "in each set, half of which still make pairs")
            checked_features(features.features, name)
        bandwidth = _bandwidth(generated, reference)
        sizes = (generated.clips, reference.clips)
        whole = (torch.arange(sizes[0]), torch.arange(sizes[1]))
        draws = [whole, *half_draws(sizes, draws=self.draws, seed=self.seed)]
        ours, theirs = (_chosen(size, [draw[side] for draw in draws]) for side, size in enumerate(sizes))
        found = self.scale * _discrepancies(generated, reference, ours, theirs, bandwidth)
        value, drawn = float(found[0]), found[1:]
        few = min(generated.clips, reference.clips)
        return self.measurement(
            value,
            drawn,
            generated,
            reference,
            notes=[f"{few} clips: read the interval"] * (few < _FEW) + alike(generated),
            method="half samples of the generated clips and of the reference",
            dimensions=generated.features.shape[1],
            frames=self.frames,
            bandwidth=bandwidth,
            scale=self.scale,
        )


def _bandwidth(generated: FeatureSet, reference: FeatureSet) -> float:
    """The median distance of pairs of the reference; raises `GenaudioError` where it is no length, or for no pair."""
    ours, theirs = generated.features.shape[1], reference.features.shape[1]
    if ours != theirs:
        raise GenaudioError(
            f"features of {ours} and of {theirs} dimensions",
            expected="equally many",
            mend="compute both with the same embedding",
        )
    bandwidth = _median_distance(reference)
    if bandwidth <= 0:
        raise GenaudioError(
            "reference clips of which half or more are equal", expected="clips that differ", mend="remove copies"
        )
    return bandwidth


def _median_distance(features: FeatureSet) -> float:
    """The median distance of rows of different clips; of many rows, of `_MEDIAN_OF` that stand evenly."""
    chosen = torch.linspace(0, len(features.features) - 1, min(_MEDIAN_OF, len(features.features))).long()
    rows, clip = features.features[chosen], features.clip[chosen]
    distances = squared_distances(rows, rows)[clip[:, None] != clip]
    return float(distances.median().sqrt())


def _chosen(clips: int, draws: Sequence[Tensor]) -> Tensor:
    """`(clips, draws)`: 1 where a clip is drawn, else 0."""
    chosen = torch.zeros(clips, len(draws), dtype=torch.float64)
    for number, drawn in enumerate(draws):
        chosen[drawn, number] = 1
    return chosen


def _discrepancies(
    generated: FeatureSet, reference: FeatureSet, ours: Tensor, theirs: Tensor, bandwidth: float
) -> Tensor:
    """The unbiased squared discrepancy of each draw, `(draws,)`; no clip is drawn twice in one."""
    our_rows, their_rows = (one.clip.bincount(minlength=one.clips).double() for one in (generated, reference))
    return (
        _sums(generated, generated, ours, ours, bandwidth) / _pairs(our_rows, ours)
        + _sums(reference, reference, theirs, theirs, bandwidth) / _pairs(their_rows, theirs)
        - 2 * _sums(generated, reference, ours, theirs, bandwidth) / ((our_rows @ ours) * (their_rows @ theirs))
    )


def _sums(first: FeatureSet, second: FeatureSet, ours: Tensor, theirs: Tensor, bandwidth: float) -> Tensor:
    """Sums of the kernel over pairs of rows of the clips of each draw, `(draws,)`; of one set, of different clips."""
    total = torch.zeros(ours.shape[1], dtype=torch.float64)
    size = max(1, _BLOCK // len(second.features))
    for rows, clip in zip(torch.split(first.features, size), torch.split(first.clip, size), strict=True):
        kernel = squared_distances(rows, second.features).mul_(-0.5 / bandwidth**2).exp_()
        if first is second:
            kernel.masked_fill_(clip[:, None] == second.clip, 0)
        if len(second.features) != second.clips:
            kernel = kernel.new_zeros(len(rows), second.clips).index_add_(1, second.clip, kernel)
        total += (ours[clip] * (kernel @ theirs)).sum(0)
    return total


def _pairs(rows: Tensor, chosen: Tensor) -> Tensor:
    """Ordered pairs of rows of different clips in each draw, of clips of so many rows."""
    return (rows @ chosen).square() - rows.square() @ chosen
