"""Brownian paths: a Gaussian process with the right covariance, a function of the seed and of the levels alone."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.samplers.brownian import BrownianPath
from genaudio.samplers.schedules.karras import Karras

DOUBLE = torch.float64


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def increment(path: BrownianPath, x: Tensor, s: float, t: float, rate: float) -> Tensor:
    """B(t) - B(s), of variance t^(-2 rate) - s^(-2 rate)."""
    return path.unit(x, s, t) * math.sqrt(t ** (-2 * rate) - s ** (-2 * rate))


@pytest.mark.parametrize("rate", [0.1, 1.0, 2.5])
def test_increments_over_a_partition_sum_to_the_whole(rate: float) -> None:
    x = torch.empty(2, 3, dtype=DOUBLE)
    levels = [80.0, 31.0, 7.7, 7.6999, 1.0, 0.21, 0.002]
    path = BrownianPath(generators(1, 2), rate)
    parts = sum(increment(path, x, s, t, rate) for s, t in pairwise(levels))
    whole = increment(BrownianPath(generators(1, 2), rate), x, levels[0], levels[-1], rate)
    torch.testing.assert_close(parts, whole, rtol=1e-10, atol=0)


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_moments_of_increments(rate: float) -> None:
    """Unit variance each, no covariance between disjoint ones, that of the overlap between others."""
    x = torch.empty(20_000, dtype=DOUBLE)
    levels = [80.0, 20.0, 19.0, 1.0, 0.999, 0.01]
    path = BrownianPath(torch.Generator().manual_seed(5), rate)
    units = torch.stack([path.unit(x, s, t) for s, t in pairwise(levels)])
    assert units.mean(1).abs().max() < 4 / math.sqrt(20_000)
    assert (torch.cov(units) - torch.eye(5, dtype=DOUBLE)).abs().max() < 0.04
    wide, narrow = path.unit(x, 20.0, 1.0), path.unit(x, 19.0, 0.01)

    def tau(sigma: float) -> float:
        return sigma ** (-2 * rate)

    shared = (tau(1.0) - tau(19.0)) / math.sqrt((tau(1.0) - tau(20.0)) * (tau(0.01) - tau(19.0)))
    assert (wide * narrow).mean().item() == pytest.approx(shared, abs=0.03)
    # Gaussian, not only of the right variance: the fourth moment is 3.
    assert units.pow(4).mean(1).sub(3).abs().max() < 0.25


def test_moments_over_seeds() -> None:
    """Few elements, many seeds: what a user sees who draws many items."""
    x = torch.empty(500, 4, dtype=DOUBLE)
    path = BrownianPath(generators(*range(500)), 1.0)
    units = torch.stack([path.unit(x, s, t).flatten() for s, t in ((10.0, 3.0), (3.0, 2.9), (2.9, 0.1))])
    assert units.mean(1).abs().max() < 0.09
    assert (torch.cov(units) - torch.eye(3, dtype=DOUBLE)).abs().max() < 0.1


def test_a_path_depends_on_the_seed_alone() -> None:
    """Not on the batch, nor on the levels that were asked for before, nor on what was drawn from the generator."""
    x = torch.empty(3, 4)
    together = BrownianPath(generators(7, 8, 9), 1.0)
    for s, t in ((50.0, 3.0), (2.0, 1.0)):
        together.unit(x, s, t)
    used = generators(8)
    torch.randn(5, generator=used[0])
    alone = BrownianPath(used, 1.0).unit(x[:1], 0.7, 0.3)
    assert torch.equal(together.unit(x, 0.7, 0.3)[1:2], alone)
    assert not torch.equal(BrownianPath(generators(9), 1.0).unit(x[:1], 0.7, 0.3), alone)


def test_the_generators_are_not_advanced() -> None:
    one = torch.Generator().manual_seed(3)
    states = one.get_state(), torch.get_rng_state()
    BrownianPath([one], 1.0).unit(torch.empty(1, 2), 2.0, 1.0)
    BrownianPath(one, 1.0).unit(torch.empty(1, 2), 2.0, 1.0)
    assert torch.equal(one.get_state(), states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_without_a_generator_the_global_one_gives_the_seed() -> None:
    x = torch.empty(2, 2)
    torch.manual_seed(4)
    first = BrownianPath(None, 1.0).unit(x, 2.0, 1.0)
    assert not torch.equal(first, BrownianPath(None, 1.0).unit(x, 2.0, 1.0))
    torch.manual_seed(4)
    assert torch.equal(first, BrownianPath(None, 1.0).unit(x, 2.0, 1.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_shape_dtype_and_device_are_those_of_x(dtype: torch.dtype, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    x = torch.empty(2, 3, 4, dtype=dtype, device=device)
    unit = BrownianPath(generators(1, 2), 1.0).unit(x, 2.0, 1.0)
    assert (unit.shape, unit.dtype, unit.device) == (x.shape, dtype, x.device)
    same = BrownianPath(generators(1, 2), 1.0).unit(x.cpu(), 2.0, 1.0)
    torch.testing.assert_close(unit.cpu(), same)


def test_the_cost_of_a_step_is_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """About 19 - log2(n) draws a step, and no more nodes held than the tree is deep."""
    draws = []
    original = BrownianPath._draw
    monkeypatch.setattr(BrownianPath, "_draw", lambda self, x, cell: draws.append(cell) or original(self, x, cell))
    for steps in (16, 64, 256):
        draws.clear()
        path = BrownianPath(generators(1), 1.0)
        for s, t in pairwise(torch.logspace(2, -2.3, steps + 1, dtype=DOUBLE).tolist()):
            path.unit(torch.empty(1, 1), s, t)
            assert len(path._nodes) <= 24
        assert len(draws) == len(set(draws))  # nothing is drawn twice on the way down
        assert len(draws) / steps == pytest.approx(19 - math.log2(steps), abs=1.5)


def test_very_close_levels_are_one() -> None:
    """Below the resolution a step has no noise, or that of a neighbour; their sum stays right."""
    x = torch.empty(1, 2000, dtype=DOUBLE)
    levels = torch.logspace(0, -1e-4, 41, dtype=DOUBLE).tolist()
    path = BrownianPath(generators(1), 1.0)
    parts = sum(increment(path, x, s, t, 1.0) for s, t in pairwise(levels))
    torch.testing.assert_close(parts, increment(path, x, levels[0], levels[-1], 1.0), rtol=1e-6, atol=1e-12)


def test_variances_of_short_steps_are_right_to_the_resolution() -> None:
    x = torch.empty(1, 4000, dtype=DOUBLE)
    path = BrownianPath(generators(1), 1.0)
    levels = Karras().sigmas(2000, 0.002, 80.0).tolist()[:20]
    variances = [path.unit(x, s, t).var().item() for s, t in pairwise(levels)]
    assert max(abs(variance - 1) for variance in variances) < 0.1
    assert sum(variances) / 19 == pytest.approx(1, abs=0.02)


def test_levels_out_of_reach_are_named() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)noise level of 1e-20.*levels between 1e-14 and 8e\+13.*fresh"):
        BrownianPath(generators(1), 1.0).unit(torch.empty(1, 2), 1.0, 1e-20)
