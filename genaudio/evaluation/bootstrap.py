"""How far a figure would move with other clips of the same kind: intervals from the clips at hand.

Clips are drawn, not frames: frames of one clip are no independent draws. Drawing by itself moves many figures (a
Fréchet distance rises), so the quantiles are taken about the draws' own mean and laid around the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def bootstrap(statistic: Callable[[Tensor], float], clips: int, *, draws: int, seed: int) -> Tensor:
    """The statistic of clips drawn with replacement (Efron 1979): `(draws,)`, float64.

    `statistic` is given the numbers of the clips that were drawn, `(clips,)`.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = [statistic(torch.randint(clips, (clips,), generator=generator)) for _ in range(draws)]
    return torch.tensor(drawn, dtype=torch.float64)


def half_samples(
    statistic: Callable[[Tensor, Tensor], float], clips: tuple[int, int], *, draws: int, seed: int
) -> Tensor:
    """The statistic of random halves of two sets, without replacement: for what a repeated clip would bias; `(draws,)`.

    `statistic` is given the numbers of half of the first and half of the second set. Halves spread about the whole as
    the whole about the truth (the delete-half jackknife, Shao and Wu 1989); up to sqrt 3 times wider, never narrower,
    where the two sets are of one distribution, the figure then being quadratic in the deviations.
    """
    drawn = [statistic(*halves) for halves in half_draws(clips, draws=draws, seed=seed)]
    return torch.tensor(drawn, dtype=torch.float64)


def half_draws(clips: tuple[int, int], *, draws: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The numbers of the clips in each of those halves."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        ours, theirs = (torch.randperm(count, generator=generator)[: count // 2] for count in clips)
        yield ours, theirs


def centred_interval(drawn: Tensor, value: float, coverage: float) -> tuple[float, float]:
    """`value` and the central share `coverage` of the deviations of `drawn` (draws,) from their mean."""
    if not len(drawn):
        return value, value
    tail = (1 - coverage) / 2
    below, above = (float(drawn.quantile(at) - drawn.mean()) for at in (tail, 1 - tail))
    return value + below, value + above
