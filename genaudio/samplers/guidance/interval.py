"""Guidance in a limited interval of noise levels (Kynkäänniemi et al. 2024, arXiv 2404.07724)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import model_validator
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.guidance.base import NOTHING, Estimate, Estimates, Guidance


class Interval(Guidance):
    """Limits the guidance listed before it to noise levels low < sigma <= high.

    Outside, the conditional estimate stands as it is, and nothing else is evaluated. The source finds guidance harmful
    at high levels, where it costs variety, and needless at low ones; within the interval it may then be stronger.
    """

    follows: ClassVar[bool] = True

    low: float = parameter(0.0, ge=0, description="Noise level down to which there is guidance, itself not included")
    high: float = parameter(gt=0, description="Highest noise level with guidance")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise GenaudioError(f"low {self.low:g} and high {self.high:g}", expected="low below high")
        return self

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """The conditional estimate outside, nothing inside."""
        return NOTHING if self.low < sigma <= self.high else frozenset({"conditional"})

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """The conditional estimate."""
        return estimates["conditional"], state
