"""The grids of noise levels that every sampler is given, and the budgets and endings of the comparison.

Ending A stops at sigma_min; ending B goes on with one step to 0.
"""

from __future__ import annotations

import math

from problems import SIGMA_MAX, SIGMA_MIN

BUDGETS = (5, 8, 10, 15, 20, 30, 50, 100)
ENDINGS = ("A", "B")
GRIDS = ("karras 7", "karras 4", "uniform log")


def levels(grid: str, steps: int, ending: str) -> list[float]:
    """`steps` + 1 falling levels, the last one sigma_min (A) or 0 (B)."""
    count = steps + 1 if ending == "A" else steps
    if count == 1:
        return [SIGMA_MAX, 0.0]
    ramp = [i / (count - 1) for i in range(count)]
    if grid == "uniform log":
        found = [SIGMA_MAX * math.exp(share * math.log(SIGMA_MIN / SIGMA_MAX)) for share in ramp]
    else:
        rho = float(grid.removeprefix("karras "))
        high, low = SIGMA_MAX ** (1 / rho), SIGMA_MIN ** (1 / rho)
        found = [(high + share * (low - high)) ** rho for share in ramp]
    found[0], found[-1] = SIGMA_MAX, SIGMA_MIN
    return found if ending == "A" else [*found, 0.0]
