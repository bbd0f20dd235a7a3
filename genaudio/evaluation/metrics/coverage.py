"""Coverage (Naeem et al. 2020, arXiv 2002.09797)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from genaudio.evaluation.manifold import radii, within
from genaudio.evaluation.metrics.neighbourhood import Neighbourhood


class Coverage(Neighbourhood):
    """The share of real clips whose ball holds a generated clip; where the sets are alike and equal, about 1 - 2^-k.

    The balls are those of the real clips, so that noise does not raise it as it does `recall`. With fewer generated
    than real clips it cannot reach its best.
    """

    def statistic(self, generated: Tensor, reference: Tensor) -> Callable[[Tensor], float]:
        """The figure of generated clips by their numbers."""
        holds = within(reference, radii(reference, self.k, "reference"), generated)
        return lambda drawn: float(holds[:, drawn].any(1).double().mean())
