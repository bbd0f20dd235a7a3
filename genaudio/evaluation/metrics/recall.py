"""Recall (Kynkäänniemi et al. 2019, arXiv 1904.06991)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.evaluation.manifold import radii, within
from genaudio.evaluation.metrics.neighbourhood import Neighbourhood


class Recall(Neighbourhood):
    """The share of real clips that lie among the generated ones: in the ball of at least one.

    It says how much of the data is covered, and nothing of how many generated clips are plausible. Clips of noise,
    whose balls are large, raise it: see `coverage`.
    """

    k: int = parameter(
        3, ge=1, description="The nearest neighbour that a ball reaches to", source="Kynkäänniemi et al. 2019"
    )

    def statistic(self, generated: Tensor, reference: Tensor) -> Callable[[Tensor], float]:
        """The figure of generated clips by their numbers."""
        holds = within(generated, radii(generated, self.k, "generated"), reference)
        return lambda drawn: float(holds[drawn].any(0).double().mean())
