"""How a multistep solver starts, where it has no past to look back on."""

from __future__ import annotations

from typing import Literal

Warmup = Literal["auto", "ramp", "singlestep"]

# Below this an evaluation is worth more as one more step than as a start of full order. From sigma 80, where D is
# nearly constant, the two differ by less than a tenth from here on (benchmarks/solvers/gaussian_mixture.py).
_FEW_STEPS = 32

DESCRIPTION = (
    "Start of the multistep method. ramp: orders 1, 2, … as predictions come in; singlestep: first steps of several "
    "evaluations, which keep the order; auto: ramp below 32 steps, singlestep from there on"
)


def starting_steps(warmup: Warmup, order: int, num_steps: int) -> tuple[int, ...]:
    """Order, which is also the evaluations, of each step at the start that does not look back.

    One step of order p - 1 has the local error that a method of order p can bear, and so has each of the next, which
    look back on one prediction more. So orders 1 and 2 need nothing, order 3 a first step of 2 evaluations, order 4 one
    of 3, whose last stage is good enough to look back on. Order 5 needs two of 4.
    """
    if warmup == "ramp" or (warmup == "auto" and num_steps < _FEW_STEPS):
        return ()
    return {3: (2,), 4: (3,), 5: (4, 4)}.get(order, ())


def multistep_evaluations(num_steps: int, starts: tuple[int, ...]) -> int:
    """One a step, and what the start takes more; the step to sigma = 0 always takes one."""
    return num_steps + sum(order - 1 for order in starts[: num_steps - 1])
