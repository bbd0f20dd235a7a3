"""Precision (Kynkäänniemi et al. 2019, arXiv 1904.06991)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.evaluation.manifold import radii, within
from genaudio.evaluation.metrics.neighbourhood import Neighbourhood


class Precision(Neighbourhood):
    """The share of generated clips that lie among the real ones: in the ball of at least one.

    It says how many generated clips are plausible, and nothing of how much of the data they cover. A single outlier
    among the real clips, whose ball is large, can carry it: see `density`.
    """

    k: int = parameter(
        3, ge=1, description="The nearest neighbour that a ball reaches to", source="Kynkäänniemi et al. 2019"
    )

    def statistic(self, generated: Tensor, reference: Tensor) -> Callable[[Tensor], float]:
        """The figure of generated clips by their numbers."""
        inside = within(reference, radii(reference, self.k, "reference"), generated).any(0).double()
        return lambda drawn: float(inside[drawn].mean())
