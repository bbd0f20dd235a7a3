"""Search without derivatives: the covariance matrix adaptation evolution strategy.

A normal distribution is drawn from, moved towards its better draws, and shaped after the moves that paid. It looks at
nothing but the order of the values, and so copes with functions that jump.

Source: Hansen, The CMA Evolution Strategy: A Tutorial, arXiv 1604.00772; its default settings, positive weights alone.

Shapes: place (n,), draws (draws, n), float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_DIGITS = 1e-20  # least variance along an axis


class Evolution:
    """The distribution: `draw` from it, then `tell` the values of the draws, the less the better."""

    def __init__(self, place: Tensor, spread: float, generator: torch.Generator) -> None:
        """Start around `place` with that standard deviation."""
        n = len(place)
        self.place = place.clone()
        self.spread = spread
        self.draws = 4 + int(3 * math.log(n))
        self._generator = generator
        parents = self.draws // 2
        weights = math.log((self.draws + 1) / 2) - torch.arange(1, parents + 1, dtype=torch.float64).log()
        self._weights = weights / weights.sum()
        worth = 1 / float(self._weights.square().sum())  # of how many equal parents the weights are worth
        self._worth = worth
        self._path_rate = (4 + worth / n) / (n + 4 + 2 * worth / n)
        self._step_rate = (worth + 2) / (n + worth + 5)
        self._one_rate = 2 / ((n + 1.3) ** 2 + worth)
        self._all_rate = min(1 - self._one_rate, 2 * (worth - 2 + 1 / worth) / ((n + 2) ** 2 + worth))
        self._damping = 1 + 2 * max(0.0, math.sqrt((worth - 1) / (n + 1)) - 1) + self._step_rate
        self._usual_length = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))  # of n normal numbers
        self._covariance = torch.eye(n, dtype=torch.float64)
        self._path, self._step_path = place.new_zeros(n), place.new_zeros(n)
        self._told = 0
        self._axes, self._moves = self._covariance, self._covariance

    def draw(self) -> Tensor:
        """New places to try: (draws, n)."""
        variances, self._axes = torch.linalg.eigh(self._covariance)
        normal = torch.randn(self.draws, len(self.place), generator=self._generator, dtype=torch.float64)
        self._deviations = variances.clamp_min(_DIGITS).sqrt()
        self._moves = normal * self._deviations @ self._axes.T
        return self.place + self.spread * self._moves

    def tell(self, values: Sequence[float]) -> None:
        """The values at the last draws, in their order."""
        self._told += 1
        best = sorted(range(self.draws), key=lambda index: values[index])[: len(self._weights)]
        chosen = self._moves[best]
        move = self._weights @ chosen
        self.place = self.place + self.spread * move
        straight = self._axes @ (self._axes.T @ move / self._deviations)
        rate = self._step_rate
        self._step_path = (1 - rate) * self._step_path + math.sqrt(rate * (2 - rate) * self._worth) * straight
        length = float(self._step_path.norm())
        usual = math.sqrt(1 - (1 - rate) ** (2 * self._told)) * self._usual_length
        steady = float(length < (1.4 + 2 / (len(move) + 1)) * usual)  # else the spread grows: leave the shape alone
        rate = self._path_rate
        self._path = (1 - rate) * self._path + steady * math.sqrt(rate * (2 - rate) * self._worth) * move
        kept = 1 - self._one_rate - self._all_rate + (1 - steady) * self._one_rate * rate * (2 - rate)
        self._covariance = (
            kept * self._covariance
            + self._one_rate * torch.outer(self._path, self._path)
            + self._all_rate * (chosen.T * self._weights) @ chosen
        )
        self.spread *= math.exp(self._step_rate / self._damping * (length / self._usual_length - 1))
