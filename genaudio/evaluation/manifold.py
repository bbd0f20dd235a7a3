"""Neighbourhoods of features: whether generated clips lie among real ones, and real among generated.

Each clip of a set reaches as far as its k-th nearest neighbour in that set; the union of those balls is taken for the
set's support. Kynkäänniemi et al. 2019 (arXiv 1904.06991): precision and recall. Naeem et al. 2020 (arXiv 2002.09797):
density and coverage, which one outlier with a large ball cannot carry.

Shapes: features (clips, dimensions); balls hold clips in (centres, clips).
"""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.distances import squared_distances

_BLOCK = 1 << 24  # distances at a time


def radii(features: Tensor, k: int, name: str) -> Tensor:
    """`(clips,)`: the squared distance to the k-th nearest other clip; raises `GenaudioError` for too few."""
    if len(features) <= k:
        raise GenaudioError(
            f"{len(features)} {name} clips for {k} nearest neighbours",
            expected=f"at least {k + 1}",
            mend="a smaller `k`",
        )
    found = torch.empty(len(features), dtype=torch.float64)
    step = max(1, _BLOCK // len(features))
    for start in range(0, len(features), step):
        distances = squared_distances(features[start : start + step], features)
        distances.diagonal(start).fill_(-1)  # itself first, whatever copies of it there are
        found[start : start + step] = distances.kthvalue(k + 1).values
    return found


def within(centres: Tensor, radius: Tensor, clips: Tensor) -> Tensor:
    """`(centres, clips)`, bool: whether a clip lies in the ball of a centre, its border included."""
    if centres.shape[1] != clips.shape[1]:
        raise GenaudioError(
            f"features of {centres.shape[1]} and of {clips.shape[1]} dimensions",
            expected="equally many",
            mend="compute both with the same embedding",
        )
    step = max(1, _BLOCK // len(clips))
    blocks = [slice(start, start + step) for start in range(0, len(centres), step)]
    return torch.cat([squared_distances(centres[rows], clips) <= radius[rows, None] for rows in blocks])
