"""Steps made of stages: the form in which every exponential solver's plan is written, and how a step of it is run.

A stage evaluates the denoiser, stores a prediction under a number, and updates the step's x from stored predictions. A
step of a multistep method is one stage that looks back; a step of a singlestep method is several stages. A corrector
does the step before once more with the prediction at its end, which the stage has evaluated anyway.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from genaudio.samplers.base import Denoiser, Generators, StepSolver
from genaudio.samplers.exponential import Family, extrapolation_to_zero

Predictions = Mapping[int, Tensor]  # the state between steps: stored predictions by number, and under BASE the base
BASE = -(1 << 40)  # x at the start of the step before, which a corrector takes again
# (s, t, levels of the predictions) -> (decay, weights); see `exponential.Family.update`. A level equal to t is the
# prediction at the end of the step, which only a corrector has.
Rule = Callable[[float, float, Sequence[float]], tuple[float, tuple[float, ...]]]


@dataclass(frozen=True)
class Update:
    """`decay x + sum weight * prediction[number]` over `terms`."""

    decay: float
    terms: tuple[tuple[int, float], ...]

    def __call__(self, x: Tensor, predictions: Predictions) -> Tensor:
        """From x at the start of the step."""
        return _combine(x, self.decay, [(predictions[number], weight) for number, weight in self.terms])


@dataclass(frozen=True)
class Stage:
    """One evaluation at `sigma`, stored; then the update of the step's x, which `correction` may replace before."""

    sigma: float
    saves: tuple[tuple[int, float | None], ...]  # (number, kappa): store x - kappa D, or D itself where kappa is None
    update: Update
    correction: Update | None = None  # from the base: x at the start of the step before


@dataclass(frozen=True)
class Step:
    """The stages of one step, and what later steps still need."""

    stages: tuple[Stage, ...]
    keeps: tuple[int, ...]
    keeps_base: bool = False


class StagedSolver(StepSolver):
    """A solver whose plan is made of stages; the state is the predictions that later steps still need."""

    @abstractmethod
    def plan(self, levels: Sequence[float]) -> list[Step]:
        """The stages of each step."""

    def init(self, x: Tensor) -> Predictions:
        """No predictions yet."""
        return {}

    def step(
        self, denoiser: Denoiser, x: Tensor, state: Predictions, coefficients: Step, generator: Generators | None = None
    ) -> tuple[Tensor, Predictions]:
        """The stages of one step."""
        return run_step(denoiser, x, state, coefficients)


def run_step(denoiser: Denoiser, x: Tensor, state: Predictions, step: Step) -> tuple[Tensor, Predictions]:
    """x at the end of the step and the predictions to keep; the arguments are left as they are."""
    predictions = dict(state)
    y = x
    for stage in step.stages:
        clean = denoiser(y, stage.sigma)
        for number, factor in stage.saves:
            predictions[number] = clean if factor is None else torch.sub(y, clean, alpha=factor)
        if stage.correction is not None:
            x = stage.correction(predictions[BASE], predictions)
        y = stage.update(x, predictions)
    kept = {number: predictions[number] for number in step.keeps}
    return y, kept | {BASE: x} if step.keeps_base else kept


def _combine(x: Tensor, decay: float, terms: Sequence[tuple[Tensor, float]]) -> Tensor:
    """`decay x + sum weight * prediction` in as few passes over memory as it takes."""
    total = sum(weight for _, weight in terms)
    if abs(decay + total - 1) < 1e-9:
        # An affine combination is a chain of interpolations, one pass a term. Weights of the total's sign first: the
        # partial sums are then never small against the weights.
        (mean, summed), *rest = sorted(terms, key=lambda term: term[1], reverse=total > 0)
        for prediction, weight in rest:
            summed += weight
            mean = torch.lerp(mean, prediction, weight / summed)
        return torch.lerp(x, mean, total) if decay else mean
    result = x if decay == 1 else torch.mul(x, decay)
    for prediction, weight in terms:
        # The first result is ours only when decay made one; from then on it can be added to in place.
        result = torch.add(result, prediction, alpha=weight) if result is x else result.add_(prediction, alpha=weight)
    return result


class Planner:
    """Writes a plan stage by stage; numbers the predictions and finds out how long each must be kept."""

    def __init__(self, family: Family, rule: Rule | None = None, *, corrector: bool = False) -> None:
        self._family = family
        self._rule = rule or family.update
        self._corrector = corrector
        self._levels: list[float] = []  # of every prediction, by number
        self._steps: list[list[Stage]] = []
        self._open: tuple[float, tuple[int, ...]] | None = None  # start and predictions of a step yet to be corrected

    def begin(self) -> None:
        """Start a step."""
        self._steps.append([])

    def stage(
        self, s: float, t: float, at: float, nodes: Sequence[int] = (), shares: Sequence[float] | None = None
    ) -> int:
        """Evaluate at level `at`, then update from s to t with the new prediction and those of `nodes`.

        With `shares` the update goes by their mean in these shares, instead of the polynomial through them.
        """
        number = len(self._levels)
        self._levels.append(at)
        used = (number, *nodes)
        correction = None
        if not self._steps[-1] and self._open is not None:
            start, before = self._open
            correction = self._update(start, s, (number, *before))
        saves = ((number, self._family.kappa(at)),)
        self._steps[-1].append(Stage(at, saves, self._update(s, t, used, shares), correction))
        self._open = (s, used) if self._corrector and shares is None else None
        return number

    def _update(self, s: float, t: float, used: Sequence[int], shares: Sequence[float] | None = None) -> Update:
        levels = [self._levels[node] for node in used]
        if shares is None:
            decay, weights = self._rule(s, t, levels)
        else:
            alone = [self._family.update(s, t, [level]) for level in levels]
            decay, weights = alone[0][0], tuple(share * w for share, (_, (w,)) in zip(shares, alone, strict=True))
        return Update(decay, tuple((node, weight) for node, weight in zip(used, weights, strict=True) if weight))

    def multistep(self, s: float, t: float, nodes: Sequence[int]) -> int:
        """A step of one evaluation, from the new prediction and those of earlier steps."""
        self.begin()
        return self.stage(s, t, s, nodes)

    def singlestep(self, s: float, t: float, order: int) -> tuple[int, ...]:
        """A step of `order` evaluations, of that order (1 to 4) by itself; the numbers of its predictions.

        Order 2 goes through the middle in ln(sigma), order 3 through 1/3 and 2/3 (DPM-Solver++, arXiv 2211.01095,
        Algorithm 1 and DPM-Solver-3, arXiv 2206.00927, Algorithm 2). The stage at 2/3 is accurate to third order.
        Order 4 is the classic Runge-Kutta method in the variable that the family integrates by.
        """
        self.begin()
        if order == 1:
            return (self.stage(s, t, s),)
        if order == 2:
            middle = (s * t) ** 0.5
            first = self.stage(s, middle, s)
            return first, self.stage(s, t, middle, (first,))
        if order == 4:
            middle = self._family.middle(s, t)
            first, second = self.stage(s, middle, s), self.stage(s, middle, middle)
            third = self.stage(s, t, middle)
            last = self.stage(s, t, t, (third, second, first), shares=(1 / 6, 1 / 3, 1 / 3, 1 / 6))
            return first, second, third, last
        one_third, two_thirds = s * (t / s) ** (1 / 3), s * (t / s) ** (2 / 3)
        first = self.stage(s, one_third, s)
        second = self.stage(s, two_thirds, one_third, (first,))
        # Through D(s) and D(2/3) alone: their Radau rule integrates a parabola, and D(1/3) is of second order only.
        return first, second, self.stage(s, t, two_thirds, (first,))

    def finish(self, last: float, extrapolate: bool, starts: Sequence[int]) -> None:
        """The step from `last` to 0, where x is D(0): D(last), or extrapolated through an earlier step's D as well.

        The other D is the newest of `starts` (predictions at the starts of steps) at twice the level or more. The
        weights are then at most 4/3 and -1/3 however fine the schedule, so rounding is not amplified.
        """
        self.begin()
        number = len(self._levels)
        self._levels.append(last)
        far = [start for start in starts if self._levels[start] >= 2 * last]
        terms: tuple[tuple[int, float], ...] = ((number, 1.0),)
        if extrapolate and far:
            near_weight, far_weight = extrapolation_to_zero(last, self._levels[far[-1]])
            terms = ((number, near_weight), (self._save_clean(far[-1]), far_weight))
        self._steps[-1].append(Stage(last, ((number, None),), Update(0.0, terms)))

    def _save_clean(self, number: int) -> int:
        """Have D itself stored beside prediction `number`; under which number it then is."""
        if self._family.prediction == "data":
            return number
        clean = -1 - number
        for stages in self._steps:
            for index, stage in enumerate(stages):
                if stage.saves[0][0] == number:
                    stages[index] = replace(stage, saves=(*stage.saves, (clean, None)))
        return clean

    def plan(self) -> list[Step]:
        """The steps, each with what later ones still need."""
        needed: set[int] = set()
        base_needed = False
        steps: list[Step] = []
        for stages in reversed(self._steps):
            steps.append(Step(tuple(stages), tuple(sorted(needed)), base_needed))
            updates = [u for stage in stages for u in (stage.update, stage.correction) if u is not None]
            saved = {number for stage in stages for number, _ in stage.saves}
            needed = (needed | {number for update in updates for number, _ in update.terms}) - saved
            base_needed = any(stage.correction for stage in stages)
        return steps[::-1]


def multistep_plan(
    planner: Planner, levels: Sequence[float], orders: Iterable[int], starts: Sequence[int], extrapolate: bool
) -> list[Step]:
    """The plan of a multistep method: first steps of the orders in `starts` by themselves, then one evaluation a step.

    `orders` is the order wanted of each step; a step takes as many predictions of the past as there are.
    """
    history: list[int] = []  # predictions at the starts of the steps so far, newest first
    inner: list[int] = []  # a stage of the step before that is good enough to look back on as well
    for index, (s, t, order) in enumerate(zip(levels, levels[1:], orders, strict=False)):
        if t == 0:
            planner.finish(s, extrapolate, history[::-1])
        elif index < len(starts):
            numbers = planner.singlestep(s, t, starts[index])
            history.insert(0, numbers[0])
            # The stage at 2/3 of three. One at 1/2, and those of order 4, are of second order only: no gain.
            inner = [numbers[-1]] if starts[index] == 3 else []
        else:
            history.insert(0, planner.multistep(s, t, [*inner, *history][: order - 1]))
            inner = []
    return planner.plan()


def singlestep_plan(planner: Planner, levels: Sequence[float], order: int, extrapolate: bool) -> list[Step]:
    """The plan of a singlestep method: `order` evaluations a step, one for the step to 0."""
    starts: list[int] = []
    for s, t in pairwise(levels):
        if t == 0:
            planner.finish(s, extrapolate, starts)
        else:
            starts.append(planner.singlestep(s, t, order)[0])
    return planner.plan()
