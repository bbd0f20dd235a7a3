"""Classifier-free guidance: its algebra and its evaluations."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.euler import Euler
from genaudio.samplers.guidance.cfg import CFG


class Recorder:
    """A conditional denoiser that remembers the batches it was called with."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, x: Tensor, sigma: float, condition: Tensor) -> Tensor:
        assert len(x) == len(condition)
        self.batches.append(len(x))
        return torch.tanh(x) * sigma + condition.sum(1, keepdim=True) * x


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, condition = torch.randn(3, 4, generator=generator), torch.randn(3, 2, generator=generator)
    return x, condition, torch.zeros(3, 2)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0, 15.0])
def test_it_is_a_line_through_both_predictions(scale: float, case: tuple[Tensor, Tensor, Tensor]) -> None:
    x, condition, null = case
    plain = Recorder()
    with_condition, without = plain(x, 2.0, condition), plain(x, 2.0, null)
    guided = CFG(scale=scale).wrap(Recorder(), condition, null)(x, 2.0)
    torch.testing.assert_close(guided, without + scale * (with_condition - without))


@pytest.mark.parametrize(("scale", "batch"), [(0.0, 3), (1.0, 3), (0.5, 6), (4.0, 6)])
def test_one_evaluation_doubled_only_where_both_are_needed(
    scale: float, batch: int, case: tuple[Tensor, Tensor, Tensor]
) -> None:
    x, condition, null = case
    denoiser = Recorder()
    CFG(scale=scale).wrap(denoiser, condition, null)(x, 2.0)
    assert denoiser.batches == [batch]


def test_the_ends_are_the_plain_models_bit_for_bit(case: tuple[Tensor, Tensor, Tensor]) -> None:
    x, condition, null = case
    assert torch.equal(CFG(scale=1.0).wrap(Recorder(), condition, null)(x, 2.0), Recorder()(x, 2.0, condition))
    assert torch.equal(CFG(scale=0.0).wrap(Recorder(), condition, null)(x, 2.0), Recorder()(x, 2.0, null))


def test_equal_conditions_leave_nothing_to_guide(case: tuple[Tensor, Tensor, Tensor]) -> None:
    x, condition, _ = case
    guided = CFG(scale=7.0).wrap(Recorder(), condition, condition)(x, 2.0)
    torch.testing.assert_close(guided, Recorder()(x, 2.0, condition))


def test_items_do_not_depend_on_their_neighbours(case: tuple[Tensor, Tensor, Tensor]) -> None:
    x, condition, null = case
    sigmas = torch.tensor([2.0, 1.0, 0.0])
    together = Euler().solve(CFG(scale=3.0).wrap(Recorder(), condition, null), x, sigmas)
    for i in range(3):
        part = slice(i, i + 1)
        alone = Euler().solve(CFG(scale=3.0).wrap(Recorder(), condition[part], null[part]), x[part], sigmas)
        assert torch.equal(together[part], alone)


def test_errors(case: tuple[Tensor, Tensor, Tensor]) -> None:
    x, condition, null = case
    with pytest.raises(GenaudioError, match=r"(?s)condition is \(3, 2\) and null is \(1, 2\).*for each item"):
        CFG().wrap(Recorder(), condition, null[:1])
    with pytest.raises(GenaudioError, match=r"(?s)3 conditions for a batch of 2"):
        CFG(scale=2.0).wrap(Recorder(), condition, null)(x[:2], 1.0)
    with pytest.raises(ValidationError, match="scale"):
        CFG(scale=-1.0)
