"""Autoguidance: a model guided by a bad version of itself (Karras et al. 2024, arXiv 2406.02507)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.guidance.base import Estimate, Estimates, Guidance
from genaudio.samplers.guidance.extrapolation import extrapolated, needs_of


class Autoguidance(Guidance):
    """D = D_weak + scale (D - D_weak), where the weak model made the same mistakes, only more of them.

    The weak model is one of the same data and representation with fewer weights or less training, such as an earlier
    checkpoint of the same run (`gen export RUN --out DIR --checkpoint STEP`). Both see the same condition, so a model
    without classes can be guided too. It costs one evaluation of the weak model. After other guidance it adds its
    difference, (scale - 1) (D - D_weak), to what that arrived at; scale 0 is the weak model alone.
    """

    uses: ClassVar[frozenset[Estimate]] = frozenset({"weak"})

    model: str = parameter(
        min_length=1,
        description="Weak model: a run directory or model folder; a relative path counts from the current directory",
    )
    scale: float = parameter(2.0, ge=0, description="Distance from the weak model; 1: plain, 0: the weak model itself")

    @property
    def weak_model(self) -> str:
        """Its path."""
        return self.model

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """Both estimates; of scale 0 the weak one alone, of scale 1 nothing."""
        return needs_of(self.scale, "weak")

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """Away from the weak estimate."""
        if self.scale == 0:
            return estimates["weak"], state
        return extrapolated(guided, estimates["conditional"], estimates["weak"], self.scale), state
