"""The kernel audio distance (Chung et al. 2025, arXiv 2502.15602).

Shapes: features (rows, dimensions); kernels (rows, rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import half_samples
from genaudio.evaluation.distances import squared_distances
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import checked_features
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import GENERATED, REFERENCE
from genaudio.evaluation.metrics.sampled import Sampled, clips_needed

_MEDIAN_OF = 4096  # rows that the bandwidth is taken from
_FEW = 50  # clips below which the interval is wide for most purposes


class KAD(Sampled):
    """The squared maximum mean discrepancy, unbiased, times `scale` (Gretton et al. 2012, eq. 3).

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y) with k(a, b) = exp(-|a - b|^2 / (2 b^2)), over pairs of rows of
    different clips; the bandwidth b is the median distance of pairs of the reference, so that figures beside one
    reference share one kernel. Without bias it is 0 in the mean for equal distributions at any count, and so at times
    negative. No Gaussian is assumed. Its interval is that of half samples of both sets. Memory grows with the square of
    the rows: 10,000 in each set take some 4 GB.
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
            checked_features(features.features, name)
            if features.clips < 4:
                raise GenaudioError(f"{features.clips} clips for `kad`", expected="at least 4 in each set")
        kernels, bandwidth = _Kernels.of(generated, reference)
        value = self.scale * kernels.discrepancy(torch.arange(generated.clips), torch.arange(reference.clips))
        drawn = self.scale * half_samples(
            kernels.discrepancy, (generated.clips, reference.clips), draws=self.draws, seed=self.seed
        )
        few = min(generated.clips, reference.clips)
        return self.measurement(
            value,
            drawn,
            generated,
            reference,
            notes=[f"{few} clips: read the interval"] if few < _FEW else [],
            method="half samples of the generated clips and of the reference",
            dimensions=generated.features.shape[1],
            frames=self.frames,
            bandwidth=bandwidth,
            scale=self.scale,
        )


@dataclass(frozen=True)
class _Kernels:
    """Sums of the kernel over the rows of pairs of clips, and rows of each clip: what the discrepancy is made of."""

    ours: Tensor  # (generated clips, generated clips), 0 on the diagonal
    theirs: Tensor  # (reference clips, reference clips), 0 on the diagonal
    between: Tensor  # (generated clips, reference clips)
    our_rows: Tensor
    their_rows: Tensor

    @classmethod
    def of(cls, generated: FeatureSet, reference: FeatureSet) -> tuple[_Kernels, float]:
        """Those of the two sets, and the bandwidth that they have."""
        x, y = generated.features, reference.features
        if x.shape[1] != y.shape[1]:
            raise GenaudioError(
                f"features of {x.shape[1]} and of {y.shape[1]} dimensions",
                expected="equally many",
                mend="compute both with the same embedding",
            )
        bandwidth = _median_distance(reference)
        if bandwidth <= 0:
            raise GenaudioError(
                "reference clips of which half or more are equal", expected="clips that differ", mend="remove copies"
            )
        counts = [one.clip.bincount(minlength=one.clips).double() for one in (generated, reference)]
        sums = [
            _by_clip(distances.mul_(-0.5 / bandwidth**2).exp_(), a, b)
            for distances, a, b in (
                (squared_distances(x, x), generated, generated),
                (squared_distances(y, y), reference, reference),
                (squared_distances(x, y), generated, reference),
            )
        ]
        for own in sums[:2]:
            own.fill_diagonal_(0)
        return cls(sums[0], sums[1], sums[2], *counts), bandwidth

    def discrepancy(self, ours: Tensor, theirs: Tensor) -> float:
        """The unbiased squared discrepancy of these clips, none twice."""
        a, b = (
            torch.zeros(count, dtype=torch.float64).index_fill_(0, chosen, 1)
            for count, chosen in ((len(self.our_rows), ours), (len(self.their_rows), theirs))
        )
        within = a @ self.ours @ a / _pairs(self.our_rows[ours]) + b @ self.theirs @ b / _pairs(self.their_rows[theirs])
        between = a @ self.between @ b / (self.our_rows[ours].sum() * self.their_rows[theirs].sum())
        return float(within - 2 * between)


def _median_distance(features: FeatureSet) -> float:
    """The median distance of rows of different clips; of many rows, of `_MEDIAN_OF` that stand evenly."""
    chosen = torch.linspace(0, len(features.features) - 1, min(_MEDIAN_OF, len(features.features))).long()
    rows, clip = features.features[chosen], features.clip[chosen]
    distances = squared_distances(rows, rows)[clip[:, None] != clip]
    return float(distances.median().sqrt())


def _by_clip(kernel: Tensor, first: FeatureSet, second: FeatureSet) -> Tensor:
    """Sums over the rows of each clip."""
    if len(kernel) == first.clips and kernel.shape[1] == second.clips:
        return kernel
    rows = torch.zeros(first.clips, kernel.shape[1], dtype=torch.float64).index_add_(0, first.clip, kernel)
    return torch.zeros(first.clips, second.clips, dtype=torch.float64).index_add_(1, second.clip, rows)


def _pairs(rows: Tensor) -> Tensor:
    """Ordered pairs of rows of different clips."""
    return rows.sum().square() - rows.square().sum()
