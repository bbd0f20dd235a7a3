"""The evolution strategy on functions whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genaudio.samplers.evolution import Evolution


def found(function: Callable[[Tensor], float], start: Tensor, rounds: int, seed: int = 0) -> Tensor:
    evolution = Evolution(start, 0.5, torch.Generator().manual_seed(seed))
    for _ in range(rounds):
        evolution.tell([function(place) for place in evolution.draw()])
    return evolution.place


def slanted(place: Tensor) -> float:
    """A valley a thousand times as steep across as along, on a slant, with its minimum at 1, 2, 3, …"""
    away = place - torch.arange(1, len(place) + 1)
    return float(away.square().sum() + 1e6 * away.sum() ** 2)


@pytest.mark.parametrize("n", [1, 2, 8])
def test_it_finds_the_bottom_of_a_slanted_valley(n: int) -> None:
    place = found(slanted, torch.zeros(n, dtype=torch.float64), 60 + 60 * n)
    assert torch.allclose(place, torch.arange(1, n + 1, dtype=torch.float64), atol=1e-3)


def test_only_the_order_of_the_values_counts() -> None:
    start = torch.zeros(3, dtype=torch.float64)
    assert torch.equal(found(slanted, start, 20), found(lambda place: slanted(place) ** 3 - 7, start, 20))


def test_jumps_do_not_stop_it() -> None:
    """A bowl with a step of height 1 over half of it."""
    place = found(
        lambda place: float(place.square().sum() + (place[0] < -0.5)), torch.full((4,), -2.0, dtype=torch.float64), 100
    )
    assert place.abs().max() < 1e-3


def test_the_spread_shrinks_at_a_minimum_and_grows_on_a_slope() -> None:
    def spread(function: Callable[[Tensor], float]) -> float:
        evolution = Evolution(torch.zeros(5, dtype=torch.float64), 1.0, torch.Generator().manual_seed(1))
        for _ in range(40):
            evolution.tell([function(place) for place in evolution.draw()])
        return evolution.spread

    assert spread(lambda place: float(place.square().sum())) < 0.05
    assert spread(lambda place: float(place.sum())) > 10


def test_seeds_matter_and_nothing_else_does() -> None:
    start = torch.zeros(4, dtype=torch.float64)
    assert torch.equal(found(slanted, start, 5), found(slanted, start, 5))
    assert not torch.equal(found(slanted, start, 5), found(slanted, start, 5, seed=1))
    assert torch.equal(start, torch.zeros(4, dtype=torch.float64))
