"""Rescaled guidance (Lin et al. 2023, arXiv 2305.08891, Section 3.4)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.guidance.base import NOTHING, Estimate, Estimates, Guidance
from genaudio.samplers.guidance.per_item import deviation, wide


class Rescale(Guidance):
    """Brings the standard deviation of the guided estimate back towards that of the conditional one.

    D = phi (std(D(condition)) / std(D)) D + (1 - phi) D, deviations over all elements of an item. Strong guidance makes
    sounds too loud; with phi = 1 their deviation is that of the conditional estimate, which the source found too flat.
    There the output of the network is rescaled; here it is the estimate of the clean x, of which all guidance speaks.
    It evaluates nothing that the guidance before it has not evaluated already.
    """

    follows: ClassVar[bool] = True

    phi: float = parameter(
        0.7, ge=0, le=1, description="Share of the rescaled estimate; 0: none", source="arXiv 2305.08891, Section 3.4"
    )

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """The guided and the conditional estimate."""
        return frozenset({"guided", "conditional"}) if self.phi > 0 else NOTHING

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """The guided estimate times a factor for each item."""
        found, wanted = deviation(guided), deviation(estimates["conditional"])
        # A constant estimate has no deviation that could be brought to another.
        ratio = torch.where(found > 0, wanted / found, torch.ones_like(found))
        return (wide(guided) * (1 + self.phi * (ratio - 1))).to(guided.dtype), state
