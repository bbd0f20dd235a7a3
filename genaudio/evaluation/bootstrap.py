"""How far a figure would move with other clips of the same kind: a bootstrap interval.

The generated clips are drawn anew with replacement (clips, not frames: frames of one clip are no independent draws).
That by itself moves many figures (a Fréchet distance rises), so the quantiles are shifted back by the draws' mean.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def bootstrap_interval(
    statistic: Callable[[Tensor], float], clips: int, value: float, *, draws: int, coverage: float, seed: int
) -> tuple[float, float]:
    """The interval around `value` that holds the share `coverage` of the draws; `value` twice without draws.

    `statistic` is given the numbers of the clips that were drawn, `(clips,)`, and returns the figure for those.
    """
    if not draws:
        return value, value
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.tensor(
        [statistic(torch.randint(clips, (clips,), generator=generator)) for _ in range(draws)], dtype=torch.float64
    )
    tail = (1 - coverage) / 2
    below, above = (float(drawn.quantile(at) - drawn.mean()) for at in (tail, 1 - tail))
    return value + below, value + above
