"""Adaptive projected guidance (Sadat et al. 2024, arXiv 2410.02416)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.samplers.guidance.base import NOTHING, Estimate, Estimates, Guidance
from genaudio.samplers.guidance.per_item import dot, norm, wide


class APG(Guidance):
    """Classifier-free guidance whose difference is averaged, limited and projected before it is added.

    From the difference d = D(condition) - D(null) of each evaluation:

    1. momentum: d <- d + momentum d_before, the d of this line an evaluation before; a negative one takes off what
       evaluations have in common;
    2. threshold: d <- d min(1, norm_threshold / |d|), |d| over all elements of an item;
    3. projection: d = d_parallel + d_orthogonal along and across D(condition); d <- d_orthogonal + eta d_parallel,
       since the parallel part makes strong guidance too loud and saturated;
    4. D = D(condition) + (scale - 1) d.

    With momentum 0, no threshold and eta 1 it is `cfg`. After other guidance, (scale - 1) d is added to what that
    arrived at. The momentum counts evaluations, also those within a step of a solver of several stages.
    """

    uses: ClassVar[frozenset[Estimate]] = frozenset({"null"})

    scale: float = parameter(2.0, ge=1, description="Strength of the condition, counted as in cfg; 1: plain")
    eta: float = parameter(0.0, ge=0, description="Share of the part parallel to the conditional estimate; 1: all")
    norm_threshold: float | None = parameter(
        None,
        gt=0,
        description="Largest Euclidean norm of the difference, in the unit of x; grows with the root of the number of "
        "elements of x; null: no limit",
    )
    momentum: float = parameter(-0.5, gt=-1, lt=1, description="Weight of the difference before; 0: none")

    def needs(self, sigma: float) -> frozenset[Estimate]:
        """Both estimates; of scale 1 nothing."""
        return NOTHING if self.scale == 1 else frozenset({"guided", "conditional", "null"})

    def init(self) -> Tensor | None:
        """The running difference, of which there is none yet."""
        return None

    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """Away from the null estimate, across the conditional one."""
        conditional = wide(estimates["conditional"])
        running = conditional - wide(estimates["null"])
        if state is not None:
            running = torch.add(running, state, alpha=self.momentum)
        update = running
        if self.norm_threshold is not None:
            update = update * (self.norm_threshold / norm(update)).clamp(max=1)
        if self.eta != 1:
            squared = dot(conditional, conditional)
            share = torch.where(squared > 0, dot(update, conditional) / squared, torch.zeros_like(squared))
            update = update - (1 - self.eta) * share * conditional
        result = torch.add(wide(guided), update, alpha=self.scale - 1)
        return result.to(guided.dtype), running if self.momentum != 0 else None
