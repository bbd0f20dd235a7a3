"""Brownian noise: what a step adds is a function of the item's seed and of the two noise levels alone.

A solver with fresh noise follows dx = f(x, sigma) dv + sigma sqrt(2 rate) dW with v = -ln(sigma). Divided by
sigma^(1 + rate), the noise between levels s and t is an increment B(t) - B(s) of one Brownian motion in the clock
tau(sigma) = sigma^(-2 rate), so a path cut at more levels is still the same path: a finer schedule refines the solution
instead of drawing another one, and two schedules can be compared item by item.

What is stored is U = B / sqrt(tau), which is stationary in v with unit variance and covariance exp(-rate |v - v'|), so
that one absolute tree serves every schedule and nothing overflows. It is known at the ends of |v| <= 32 and halved
where asked for: given U at two levels 2 w apart in v, U midway is Gaussian with mean (U + U') / (2 cosh(rate w)) and
variance tanh(rate w). The idea of the tree is that of Li et al. 2020 (arXiv 2001.01328, Section 4).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.core.seeds import derive_seed
from genaudio.samplers.base import Generators
from genaudio.samplers.noise import FreshNoise, randn_like

Noise = Literal["brownian", "fresh"]
NOISE_DESCRIPTION = (
    "fresh: one draw a step, another path for every schedule; brownian: a path that depends on the seed alone, which "
    "a finer schedule refines, for about 15 draws a step"
)

_REACH = 32  # the tree spans |ln(sigma)| up to this
_DEPTH = 22  # halvings: levels closer than 2^-16 in ln(sigma) are one
_CELLS = 1 << _DEPTH
_CELLS_PER_UNIT = _CELLS // (2 * _REACH)


class BrownianPath:
    """One path for each item, cut where it is asked for.

    The seeds are the generators' `initial_seed()`; the generators themselves are not advanced. One generator for the
    whole batch gives the batch one path of its shape; none takes a seed from torch's global generator. Levels are
    rounded to 2^-16 in ln(sigma), which leaves increments additive and independent, and their variances off by at most
    2^-16 over the step's length in ln(sigma).

    A level costs at most 22 draws, less those nodes that it shares with the level before: with n steps over a range of
    10 in ln(sigma) about 19 - log2(n). Between steps 24 tensors of the size of x are held. On one core the noise of a
    step takes about 25 ms for a clip of (2, 256, 256), fresh noise 2 ms.
    """

    def __init__(self, generators: Generators | None, rate: float) -> None:
        self._rate = rate
        self._one = generators is None or isinstance(generators, torch.Generator)
        if generators is None:
            self._keys = [(int(torch.randint(2**62, ())), torch.device("cpu"))]
        else:
            each = [generators] if isinstance(generators, torch.Generator) else generators
            self._keys = [(generator.initial_seed(), generator.device) for generator in each]
        self._nodes: dict[int, Tensor] = {}  # U at the nodes above the last level that was asked for, by cell

    def unit(self, x: Tensor, s: float, t: float) -> Tensor:
        """Unit noise of the step from level s down to t, in the shape, dtype and device of `x` (batch, ...).

        Times t sqrt(1 - (t / s)^(2 rate)) it is t^(1 + rate) (B(t) - B(s)), which makes the noise of two steps in a row
        that of the whole: N(s, t) = (t / m)^(1 + rate) N(s, m) + N(m, t).
        """
        rate, h = self._rate, math.log(s / t)
        start, end = _cell(s), _cell(t)
        at_start = self._value(x, start)  # first, since it is where the step before has ended
        scale = 1 / math.sqrt(-math.expm1(-2 * rate * h))
        before = scale * math.exp(rate * (_offset(start, s) - h))
        after = scale * math.exp(rate * _offset(end, t))
        return torch.sub(after * self._value(x, end), at_start, alpha=before)

    def _value(self, x: Tensor, cell: int) -> Tensor:
        """U at a cell."""
        nodes = self._nodes
        left, right = 0, _CELLS
        if not nodes:
            far = self._rate * 2 * _REACH
            nodes[left] = self._draw(x, left)
            nodes[right] = nodes[left] * math.exp(-far) + self._draw(x, right) * math.sqrt(-math.expm1(-2 * far))
        kept = {left: nodes[left], right: nodes[right]}
        while cell not in (left, right):
            middle = (left + right) // 2
            if middle not in nodes:
                width = self._rate * (middle - left) / _CELLS_PER_UNIT
                share = math.exp(-width) / (1 + math.exp(-2 * width))
                noise = self._draw(x, middle).mul_(math.sqrt(math.tanh(width)))
                nodes[middle] = noise.add_(nodes[left] + nodes[right], alpha=share)
            kept[middle] = nodes[middle]
            left, right = (left, middle) if cell < middle else (middle, right)
        self._nodes = kept
        return kept[cell]

    def _draw(self, x: Tensor, cell: int) -> Tensor:
        """The node's own noise, keyed by its place in the tree."""
        place = cell / _CELLS  # a dyadic number: exact, and the same in a tree of another depth
        generators = [
            torch.Generator(device).manual_seed(derive_seed(seed, "brownian", repr(place)))
            for seed, device in self._keys
        ]
        return randn_like(x, generators[0] if self._one else generators)


def noise_source(kind: Noise, generators: Generators | None, rate: float) -> BrownianPath | FreshNoise:
    """Where a stochastic solver takes its unit noise from, one for a trajectory."""
    return BrownianPath(generators, rate) if kind == "brownian" else FreshNoise(generators)


def _cell(sigma: float) -> int:
    place = math.log(1 / sigma)
    if abs(place) > _REACH:
        raise GenaudioError(
            f"a noise level of {sigma:g}",
            expected=f"levels between {math.exp(-_REACH):.0e} and {math.exp(_REACH):.0e} for a Brownian path",
            mend="set the solver's noise to fresh, or take other noise levels",
        )
    return round((place + _REACH) * _CELLS_PER_UNIT)


def _offset(cell: int, sigma: float) -> float:
    """How far in v the cell lies beyond the level."""
    return cell / _CELLS_PER_UNIT - _REACH + math.log(sigma)
