"""Noise item by item."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.samplers.noise import randn_like


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_item_i_comes_from_generator_i_alone(dtype: torch.dtype) -> None:
    x = torch.empty(3, 2, 5, dtype=dtype)
    noise = randn_like(x, [seeded(1), seeded(2), seeded(3)])
    assert (noise.shape, noise.dtype) == (x.shape, dtype)
    assert torch.equal(noise[1:2], randn_like(x[:1], [seeded(2)]))
    assert torch.equal(noise[[2, 0]], randn_like(x[:2], [seeded(3), seeded(1)]))


def test_one_generator_serves_the_batch() -> None:
    x = torch.empty(3, 2)
    assert torch.equal(randn_like(x, seeded(4)), torch.randn(3, 2, generator=seeded(4)))


def test_without_a_generator_the_global_one_is_used() -> None:
    torch.manual_seed(9)
    first = randn_like(torch.empty(4), None)
    torch.manual_seed(9)
    assert torch.equal(first, torch.randn(4))


def test_it_is_unit_gaussian() -> None:
    noise = randn_like(torch.empty(4, 50_000, dtype=torch.float64), [seeded(i) for i in range(4)])
    assert noise.mean().abs().item() < 0.01
    assert noise.std().item() == pytest.approx(1, abs=0.01)
    assert torch.corrcoef(noise).fill_diagonal_(0).abs().max().item() < 0.03


def test_a_generator_for_each_item_is_asked_for() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)2 generators for 3 items.*one generator for each item"):
        randn_like(torch.empty(3, 2), [seeded(1), seeded(2)])
