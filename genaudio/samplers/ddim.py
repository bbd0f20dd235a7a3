"""DDIM (Song, Meng and Ermon 2021, arXiv 2010.02502)."""

from __future__ import annotations

from collections.abc import Sequence

from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.stages import StagedSolver, Step


class DDIM(StagedSolver):
    """DDIM without noise (eta = 0, Eq. 12): one evaluation a step, order 1.

    The exponential integrator of order 1, whether on data or on noise prediction; in this space it is Euler's method.
    DDIM with noise is `euler_ancestral`.
    """

    @property
    def order(self) -> int:
        """1."""
        return 1

    def evaluations(self, num_steps: int) -> int:
        """One a step."""
        return num_steps

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        return ExponentialIntegrator(order=1, prediction="data").plan(levels)
