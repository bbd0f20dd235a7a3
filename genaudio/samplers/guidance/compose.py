"""The guided denoiser: a list of guidance on top of a conditional denoiser.

Shapes: x (batch, ...); condition and null (batch, size), or None for a model without condition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.base import Denoiser
from genaudio.samplers.guidance.base import Estimate, Guidance

ConditionalDenoiser = Callable[[Tensor, float, Tensor | None], Tensor]  # D(x, sigma, condition)


def compose(
    guidance: Sequence[Guidance],
    denoiser: ConditionalDenoiser,
    condition: Tensor | None = None,
    null: Tensor | None = None,
    weak: Mapping[str, Denoiser] | None = None,
) -> Denoiser:
    """The guided D(x, sigma) of one trajectory, whose state it carries: make a new one for each.

    Starts from the conditional estimate and applies `guidance` in order. Each noise level evaluates what is read there
    and nothing else: condition and null in one doubled batch, then each weak model (`weak`, by path) by itself.

    Raises `GenaudioError` where guidance uses what is not given.
    """
    given = weak or {}
    for one in guidance:
        _check(one, condition is not None and null is not None, given)
    if condition is not None and null is not None and condition.shape != null.shape:
        raise GenaudioError(
            f"condition is {tuple(condition.shape)} and null is {tuple(null.shape)}",
            expected="one condition and one null condition for each item",
        )
    both = None if condition is None or null is None else torch.cat([condition, null])
    states: list[Any] = [one.init() for one in guidance]

    def guided_denoiser(x: Tensor, sigma: float) -> Tensor:
        if condition is not None and len(x) != len(condition):
            raise GenaudioError(
                f"{len(condition)} conditions for a batch of {len(x)}", expected="one condition for each item"
            )
        active = _active(guidance, sigma)
        needed = {estimate for _, needs in active for estimate in needs}
        own: dict[Estimate, Tensor] = {}
        if not active or needed & {"guided", "conditional"}:
            if "null" in needed:
                own["conditional"], own["null"] = denoiser(torch.cat([x, x]), sigma, both).chunk(2)
            else:
                own["conditional"] = denoiser(x, sigma, condition)
        elif "null" in needed:
            own["null"] = denoiser(x, sigma, null)
        weaker = {path: given[path](x, sigma) for path in _weak_models(guidance, active)}

        guided = next(iter([*own.values(), *weaker.values()]))
        for index, needs in active:
            one = guidance[index]
            estimates = {name: estimate for name, estimate in own.items() if name in needs}
            if "weak" in needs and one.weak_model is not None:
                estimates["weak"] = weaker[one.weak_model]
            guided, states[index] = one.guide(guided, estimates, sigma, states[index])
        return guided

    return guided_denoiser


def _active(guidance: Sequence[Guidance], sigma: float) -> list[tuple[int, frozenset[Estimate]]]:
    """Index and needs of what acts at this level: what a later one does not even look at is left out."""
    active: list[tuple[int, frozenset[Estimate]]] = []
    for index, one in enumerate(guidance):
        needs = one.needs(sigma)
        if needs:
            active = [*active, (index, needs)] if "guided" in needs else [(index, needs)]
    return active


def _weak_models(guidance: Sequence[Guidance], active: Sequence[tuple[int, frozenset[Estimate]]]) -> list[str]:
    """The weak models that are read, each once."""
    paths = [guidance[index].weak_model for index, needs in active if "weak" in needs]
    return [path for path in dict.fromkeys(paths) if path is not None]


def _check(guidance: Guidance, conditional: bool, weak: Mapping[str, Denoiser]) -> None:
    name = type(guidance).__name__
    if "null" in guidance.uses and not conditional:
        raise GenaudioError(
            f"{name} without condition and null condition",
            expected="a model that takes a condition and was trained without it now and then",
        )
    if "weak" in guidance.uses and guidance.weak_model not in weak:
        raise GenaudioError(
            f"{name} without its weak model {guidance.weak_model!r}", expected="a denoiser for that path in `weak`"
        )
