"""DEIS (Zhang and Chen 2023, arXiv 2204.13902)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Basis
from genaudio.samplers.exponential_integrator import ExponentialIntegrator
from genaudio.samplers.stages import StagedSolver, Step
from genaudio.samplers.warmup import DESCRIPTION, Warmup

_BASIS: dict[str, Basis] = {"t_ab": "vp", "rho_ab": "sigma", "log_rho_ab": "log_sigma"}


class DEIS(StagedSolver):
    """Adams-Bashforth exponential integrators on noise prediction: one evaluation a step, order 1 to 4.

    The noise is a polynomial in the time t of the variance-preserving process (t_ab: Eq. 13 to 15, beta from 0.1 to
    20), in its rho, which is sigma here (rho_ab: Proposition 3; the same as `lms`), or in ln(rho), as later
    implementations have it (log_rho_ab). Order 1 is DDIM. A member of `exponential_integrator`, which measures better
    on velocity prediction.
    """

    order: Literal[1, 2, 3, 4] = parameter(3, description="Predictions that a step uses, its order of convergence")
    variant: Literal["t_ab", "rho_ab", "log_rho_ab"] = parameter(
        "t_ab", description="The variable of the polynomial: VP time, sigma, or ln(sigma)", source="arXiv 2204.13902"
    )
    warmup: Warmup = parameter("auto", description=DESCRIPTION)

    def evaluations(self, num_steps: int) -> int:
        """One a step, and what the warm-up takes more."""
        return self._integrator.evaluations(num_steps)

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        return self._integrator.plan(levels)

    @property
    def _integrator(self) -> ExponentialIntegrator:
        return ExponentialIntegrator(
            order=self.order, prediction="noise", basis=_BASIS[self.variant], warmup=self.warmup
        )
