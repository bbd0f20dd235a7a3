"""Alignment: where two clips run alike, patch by patch at one lag.

Shapes: generated (n, components), training (m, components); evidence (n, n + m - 1), one column a lag.

A stretch of generated patches i and training patches i + lag scores the sum of (cosine - likeness) over it: the local
alignment of sequences without gaps (Karlin and Altschul, PNAS 87, 1990), whose largest value over unrelated pairs has
an exponential tail. Silence beside silence counts nothing, and so does silence beside what is quiet, which may be
added noise; silence beside a loud patch counts as unlike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.audit.patches import QUIET, SILENT

_BLOCKED = -1e3  # more than any stretch can make up for


@dataclass(frozen=True)
class Sound:
    """The whitened patches of a clip, `(frames, components)`, how loud frames and patches are, and its length in s."""

    patches: Tensor
    frame_loudness: Tensor
    patch_loudness: Tensor
    duration: float


@dataclass(frozen=True)
class Stretch:
    """Patches `first` to `last` (inclusive) of the generated clip run like those `lag` later in the training clip."""

    score: float  # sum of (cosine - likeness) over patches
    cosine: float  # mean over the patches that hold sound in both
    first: int
    last: int
    lag: int


class Alignment:
    """All lags of a pair of clips at once: the best stretch, then the best of what is left."""

    def __init__(self, generated: Sound, training: Sound, likeness: float) -> None:
        self.generated, self.training = generated, training
        left, right = generated.patch_loudness[:, None], training.patch_loudness
        self._cosine = generated.patches @ training.patches.T
        evidence = (self._cosine - likeness).masked_fill((left == SILENT) | (right == SILENT), -likeness)
        evidence = evidence.masked_fill(neutral(left, right), 0.0)
        self._evidence = _by_lag(evidence)

    def best(self, free: Tensor | None = None) -> Stretch | None:
        """The stretch with the largest score, within the generated patches that are free, `(n,)`; None: all unlike."""
        evidence = self._evidence
        if free is not None:
            evidence = torch.where(free[:, None], evidence, _BLOCKED)
        running = torch.nn.functional.pad(evidence.double().cumsum(0), (0, 0, 1, 0))
        lowest = running.cummin(0)
        gain = running[1:] - lowest.values[:-1]
        score, where = gain.flatten().max(0)
        if score <= 0:
            return None
        last, column = divmod(int(where), gain.shape[1])
        first = int(lowest.indices[last, column])
        return self._stretch(float(score), first, last, column - (len(evidence) - 1))

    def _stretch(self, score: float, first: int, last: int, lag: int) -> Stretch:
        """Without neutral patches at its ends."""
        rows = torch.arange(first, last + 1)
        both = (self.generated.patch_loudness[rows] > SILENT) & (self.training.patch_loudness[rows + lag] > SILENT)
        rows = rows[both]
        return Stretch(score, float(self._cosine[rows, rows + lag].mean()), int(rows[0]), int(rows[-1]), lag)


def neutral(left: Tensor, right: Tensor) -> Tensor:
    """Whether two loudnesses say nothing about likeness: one is silent, the other not loud."""
    return (torch.minimum(left, right) == SILENT) & (torch.maximum(left, right) <= QUIET)


def _by_lag(evidence: Tensor) -> Tensor:
    """`(n, m)` to `(n, n + m - 1)`: column `lag + n - 1` holds the pairs (i, i + lag), 0 where there is none."""
    n, m = evidence.shape
    padded = torch.nn.functional.pad(evidence.flip(0), (0, n)).flatten()[: n * (n + m - 1)]
    return padded.reshape(n, n + m - 1).flip(0)
