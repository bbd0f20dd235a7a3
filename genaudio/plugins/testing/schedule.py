"""What holds for every schedule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from genaudio.plugins.testing.findings import Findings
from genaudio.samplers.schedules.base import Schedule

SIGMA_RANGES = ((0.002, 80.0), (1e-4, 3.0), (0.5, 0.6))
STEPS = (1, 2, 3, 18, 256, 2000)
SIGMA_DATA = 0.5  # for a schedule that leaves it open


def check_schedule(schedule: Schedule, ranges: Sequence[tuple[float, float]] = SIGMA_RANGES) -> None:
    """Check a schedule: length, float64 on the CPU, falling from sigma_max to sigma_min or a level above it, then to 0.

    `ranges` are the pairs (sigma_min, sigma_max) that it is asked for; one that is made for certain levels needs its
    own. One that is made for a number of steps is asked for that number alone.
    """
    findings = Findings(f"schedule {type(schedule).__name__}")
    made_for = schedule.steps
    for sigma_min, sigma_max in ranges:
        for num_steps in STEPS if made_for is None else (made_for,):
            sigmas = schedule.fitted(SIGMA_DATA, num_steps).sigmas(num_steps, sigma_min, sigma_max)
            case = f"sigmas({num_steps}, {sigma_min}, {sigma_max})"
            findings.expect(sigmas.shape == (num_steps + 1,), f"{case} has the shape {tuple(sigmas.shape)}")
            findings.expect(sigmas.dtype == torch.float64, f"{case} is {sigmas.dtype}, not float64")
            findings.expect(sigmas.device.type == "cpu", f"{case} is on {sigmas.device}, not on the CPU")
            if findings.texts:
                break
            levels = [float(sigma) for sigma in sigmas]
            findings.expect(abs(levels[0] / sigma_max - 1) < 1e-9, f"{case} begins at {levels[0]}")
            findings.expect(levels[-1] == 0, f"{case} ends at {levels[-1]}, not at 0")
            findings.expect(
                num_steps == 1 or levels[-2] > sigma_min * (1 - 1e-9), f"{case} has {levels[-2]} before the 0"
            )
            findings.expect(all(a > b for a, b in pairwise(levels)), f"{case} does not descend strictly")
    findings.close()
