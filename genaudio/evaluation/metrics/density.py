"""Density (Naeem et al. 2020, arXiv 2002.09797)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from genaudio.evaluation.manifold import radii, within
from genaudio.evaluation.metrics.neighbourhood import Neighbourhood


class Density(Neighbourhood):
    """In how many balls of real clips a generated clip lies, over k, in the mean: about 1 where the sets are alike.

    Above 1 where generated clips crowd where real ones do. An outlier's ball counts once among many, unlike in
    `precision`.
    """

    most: ClassVar[float] = math.inf

    def statistic(self, generated: Tensor, reference: Tensor) -> Callable[[Tensor], float]:
        """The figure of generated clips by their numbers."""
        inside = within(reference, radii(reference, self.k, "reference"), generated).double().sum(0) / self.k
        return lambda drawn: float(inside[drawn].mean())
