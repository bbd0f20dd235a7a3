"""The step that classifier-free guidance and autoguidance share: away from a worse estimate, along a line.

Shapes: estimates (batch, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.samplers.guidance.base import NOTHING, Estimate


def extrapolated(guided: Tensor, conditional: Tensor, worse: Tensor, scale: float) -> Tensor:
    """guided + (scale - 1) (conditional - worse); for guided = conditional: worse + scale (conditional - worse)."""
    # The second term is 0 for the first guidance of a list, to which this is the line through both, to the bit.
    return torch.lerp(worse, conditional, scale) + (guided - conditional)


def needs_of(scale: float, worse: Estimate) -> frozenset[Estimate]:
    """What a line through both estimates reads: at its ends, 0 and 1, only one of them."""
    if scale == 1:
        return NOTHING
    return frozenset({worse}) if scale == 0 else frozenset({"guided", "conditional", worse})
