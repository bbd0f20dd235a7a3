"""Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.guidance.base import Estimate, Estimates, Guidance
from genaudio.samplers.guidance.extrapolation import extrapolated, needs_of


class CFG(Guidance):
    """D = D(null) + scale (D(condition) - D(null)), both from one evaluation of a doubled batch.

    The scale counts from the unconditional model: 0 ignores the condition (and what is listed before), 1 is the plain
    conditional model (either evaluates only what it needs), above 1 strengthens the condition. Papers that write `w`
    for the extra strength mean `scale = 1 + w` (Eq. 6 of the source). After other guidance it adds its difference,
    (scale - 1) (D(condition) - D(null)), to what that arrived at.
    """

    uses: ClassVar[frozenset[Estimate]] = frozenset({"null"})

    scale: float = parameter(1.0, ge=0, description="Strength of the condition; 1: plain, 0: none")

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """Both estimates; of scale 0 the null alone, of scale 1 nothing."""
        return needs_of(self.scale, "null")

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """Away from the null estimate."""
        if self.scale == 0:
            return estimates["null"], state
        return extrapolated(guided, estimates["conditional"], estimates["null"], self.scale), state
