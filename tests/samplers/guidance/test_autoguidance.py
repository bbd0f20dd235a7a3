"""Autoguidance: its formula on exact Gaussians, and what it asks for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genaudio.samplers.guidance.autoguidance import Autoguidance
from genaudio.samplers.guidance.compose import compose


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_it_is_a_line_through_the_weak_and_the_strong_estimate(
    scale: float, gaussian: Any, x: Tensor, condition: Tensor
) -> None:
    strong, weak = gaussian(0.5)(x, 1.5, condition), gaussian(1.5)(x, 1.5, condition)
    models = {"runs/weak": lambda y, sigma: gaussian(1.5)(y, sigma, condition)}
    guided = compose([Autoguidance(model="runs/weak", scale=scale)], gaussian(0.5), condition, weak=models)
    torch.testing.assert_close(guided(x, 1.5), weak + scale * (strong - weak))


def test_a_wider_weak_model_sharpens(gaussian: Any, x: Tensor) -> None:
    """Of N(0, s^2) guided by N(0, t^2), t > s, the estimate is that of a variance below s^2."""
    s, t, sigma, scale = 0.5, 1.0, 0.7, 2.0
    guided = compose([Autoguidance(model="w", scale=scale)], gaussian(s), weak={"w": gaussian(t)})(x, sigma)
    shrink = guided / x  # v / (v + sigma^2)
    variance = sigma**2 * shrink / (1 - shrink)
    assert bool((variance < s**2).all())
    weak, strong = t**2 / (t**2 + sigma**2), s**2 / (s**2 + sigma**2)
    torch.testing.assert_close(shrink, torch.full_like(x, weak + scale * (strong - weak)))


def test_a_model_guided_by_itself_is_itself(gaussian: Any, x: Tensor) -> None:
    guided = compose([Autoguidance(model="w", scale=4.0)], gaussian(), weak={"w": gaussian()})(x, 1.0)
    assert torch.equal(guided, gaussian()(x, 1.0))


def test_what_it_asks_for() -> None:
    assert Autoguidance(model="runs/weak").weak_model == "runs/weak"
    assert Autoguidance(model="w", scale=1.0).needs(1.0) == frozenset()
    assert Autoguidance(model="w", scale=0.0).needs(1.0) == {"weak"}
    with pytest.raises(ValidationError, match="model"):
        Autoguidance()  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="at least 1 character"):
        Autoguidance(model="")
