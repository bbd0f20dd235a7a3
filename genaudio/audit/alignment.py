"""Alignment: where two clips run alike, patch by patch at one lag.

Shapes: generated (n, components), training (m, components); evidence (n, n + m - 1), one column a lag.

A stretch of generated patches i and training patches i + lag scores the sum of (cosine - likeness) over it: the local
alignment of sequences without gaps (Karlin and Altschul, PNAS 87, 1990), whose largest value over unrelated pairs has
an exponential tail. Silence beside silence counts nothing, and so does silence beside what is quiet, which may be
added noise; silence beside a loud patch counts as unlike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genaudio.audit.patches import QUIET, SILENT
from genaudio.audit.sound import Sound


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
        runs = [(0, len(self._evidence))] if free is None else _runs(free)
        found = [stretch for first, end in runs if (stretch := self._within(first, end)) is not None]
        return max(found, key=lambda stretch: stretch.score, default=None)

    def _within(self, start: int, end: int) -> Stretch | None:
        """The best stretch of the generated patches from `start` to before `end`."""
        evidence = self._evidence[start:end].numpy()
        running = np.zeros((len(evidence) + 1, evidence.shape[1]), np.float32)
        np.cumsum(evidence, axis=0, out=running[1:])
        gain = running[1:] - np.minimum.accumulate(running[:-1], axis=0)  # numpy: torch's cummin is far slower
        last, column = divmod(int(gain.argmax()), gain.shape[1])
        if gain[last, column] <= 0:
            return None
        first = last - int(running[last::-1, column].argmin())
        return self._stretch(float(gain[last, column]), start + first, start + last, column - (len(self._evidence) - 1))

    def _stretch(self, score: float, first: int, last: int, lag: int) -> Stretch:
        """Without neutral patches at its ends."""
        rows = torch.arange(first, last + 1)
        both = (self.generated.patch_loudness[rows] > SILENT) & (self.training.patch_loudness[rows + lag] > SILENT)
        rows = rows[both]
        return Stretch(score, float(self._cosine[rows, rows + lag].mean()), int(rows[0]), int(rows[-1]), lag)


def neutral(left: Tensor, right: Tensor) -> Tensor:
    """Whether two loudnesses say nothing about likeness: one is silent, the other not loud."""
    return (torch.minimum(left, right) == SILENT) & (torch.maximum(left, right) <= QUIET)


def _runs(free: Tensor) -> list[tuple[int, int]]:
    """First and behind the last of each run of True."""
    edges = np.flatnonzero(np.diff(free.numpy(), prepend=False, append=False))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _by_lag(evidence: Tensor) -> Tensor:
    """`(n, m)` to `(n, n + m - 1)`: column `lag + n - 1` holds the pairs (i, i + lag), 0 where there is none."""
    n, m = evidence.shape
    padded = torch.nn.functional.pad(evidence.flip(0), (0, n)).flatten()[: n * (n + m - 1)]
    return padded.reshape(n, n + m - 1).flip(0)
