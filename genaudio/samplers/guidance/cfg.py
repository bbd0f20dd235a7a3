"""Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598)."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Denoiser
from genaudio.samplers.guidance.base import ConditionalDenoiser, Guidance


class CFG(Guidance):
    """D = D(null) + scale (D(condition) - D(null)), both from one evaluation of a doubled batch.

    The scale counts from the unconditional model: 0 ignores the condition, 1 is the plain conditional model (either
    evaluates only what it needs), above 1 strengthens the condition. Papers that write `w` for the extra strength mean
    `scale = 1 + w` (Eq. 6 of the source).
    """

    scale: float = parameter(1.0, ge=0, description="Strength of the condition; 1: plain, 0: none")

    def wrap(self, denoiser: ConditionalDenoiser, condition: Tensor, null: Tensor) -> Denoiser:
        """The guided D(x, sigma)."""
        if condition.shape != null.shape:
            raise GenaudioError(
                f"condition is {tuple(condition.shape)} and null is {tuple(null.shape)}",
                expected="one condition and one null condition for each item",
            )
        if self.scale in (0, 1):
            only = condition if self.scale == 1 else null
            return lambda x, sigma: denoiser(x, sigma, only)
        both = torch.cat([condition, null])

        def guided(x: Tensor, sigma: float) -> Tensor:
            if len(x) != len(condition):
                raise GenaudioError(
                    f"{len(condition)} conditions for a batch of {len(x)}", expected="one condition for each item"
                )
            conditional, unconditional = denoiser(torch.cat([x, x]), sigma, both).chunk(2)
            return torch.lerp(unconditional, conditional, self.scale)

        return guided
