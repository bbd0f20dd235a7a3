"""Exponential multistep integrators, predictor or predictor-corrector, with exactly integrated coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from genaudio.core.component import parameter
from genaudio.samplers.exponential import Basis, Family, Prediction
from genaudio.samplers.sigma_data import SigmaData, number
from genaudio.samplers.stages import Planner, StagedSolver, Step, multistep_plan
from genaudio.samplers.warmup import DESCRIPTION, Warmup, multistep_evaluations, starting_steps


class ExponentialIntegrator(StagedSolver):
    """One evaluation a step: the linear part solved exactly, the rest by a polynomial through the last predictions.

    The coefficients are integrated in float64 for whatever levels the schedule has. With a corrector each step is done
    twice, the second time with the prediction at its end, which the next step evaluates anyway: one order more for the
    same number of evaluations (as in UniPC, arXiv 2302.04867).

    Known methods are members: order 1 on data or noise is DDIM and Euler's method; noise and sigma is rho-AB DEIS and
    Adams-Bashforth (LMS); noise and vp is t-AB DEIS (arXiv 2204.13902), noise and log_sigma what libraries call DEIS;
    data and log_sigma is the multistep family of DPM-Solver++ (arXiv 2211.01095) with the true weights; with a
    corrector on either, UniPC.
    """

    order: Literal[1, 2, 3, 4, 5] = parameter(
        3, description="Order of convergence: of the predictor, or of the corrector, whose predictor has one less"
    )
    prediction: Prediction = parameter(
        "noise", description="What the polynomial goes through: D, the noise, or the velocity of the scaled x"
    )
    basis: Basis = parameter("log_sigma", description="The variable of the polynomial")
    corrector: bool = parameter(False, description="Correct each step with the prediction at its end")
    sigma_data: SigmaData = parameter(
        "auto",
        description="Standard deviation of the data, of prediction velocity and basis angle; auto: the model's",
    )
    rho: float = parameter(7.0, gt=0, description="Exponent of basis rho: the polynomial is in sigma^(1/rho)")
    warmup: Warmup = parameter("auto", description=DESCRIPTION)
    lower_last: bool = parameter(False, description="Lower the order over the last steps, down to 1 in the last")
    finish: Literal["extrapolate", "euler"] = parameter(
        "extrapolate",
        description="The step to sigma = 0: D extrapolated from two levels (order 2 and up), or D at the last",
    )

    @model_validator(mode="after")
    def _has_predictor(self) -> Self:
        if self.corrector and self.order == 1:
            raise ValueError("a corrector of order 1 has no predictor: give order 2 to 5, or corrector: false")
        if self.order == 5 and not self.corrector:
            raise ValueError("order 5 is for a corrector: give order 1 to 4, or corrector: true")
        return self

    def fitted(self, sigma_data: float, nfe: int, dimensions: int | None = None) -> ExponentialIntegrator:
        """With the standard deviation of the data."""
        return self.model_copy(update={"sigma_data": sigma_data}) if self.sigma_data == "auto" else self

    def evaluations(self, num_steps: int) -> int:
        """One a step, and what the warm-up takes more."""
        return multistep_evaluations(num_steps, starting_steps(self.warmup, self.order, num_steps))

    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""
        steps = len(levels) - 1
        family = Family(self.prediction, number(self.sigma_data), self.basis, self.rho)
        planner = Planner(family, corrector=self.corrector)
        starts = starting_steps(self.warmup, self.order, steps)
        extrapolate = self.finish == "extrapolate" and self.order > 1
        order = self.order - self.corrector
        orders = [min(order, steps - index) if self.lower_last else order for index in range(steps)]
        return multistep_plan(planner, levels, orders, starts, extrapolate)
