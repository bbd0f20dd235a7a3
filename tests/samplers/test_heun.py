"""EDM's churn: what is added, to whom, and when."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genaudio.samplers.heun import Heun
from genaudio.samplers.schedules.karras import Karras

STD = 0.5


def gaussian(x: Tensor, sigma: float) -> Tensor:
    return x * STD**2 / (STD**2 + sigma**2)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_the_plan_is_algorithm_2() -> None:
    solver = Heun(s_churn=4, s_min=0.5, s_max=20, s_noise=1.01)
    levels = [80.0, 20.0, 2.0, 0.5, 0.1, 0.0]
    gamma = [0.0, math.sqrt(2) - 1, math.sqrt(2) - 1, math.sqrt(2) - 1, 0.0]  # 4 / 5 is above the limit
    plan = solver.plan(levels)
    assert [step.sigma for step in plan] == pytest.approx([t * (1 + g) for t, g in zip(levels, gamma, strict=False)])
    noise = [1.01 * math.sqrt((t * (1 + g)) ** 2 - t**2) for t, g in zip(levels, gamma, strict=False)]
    assert [step.noise for step in plan] == pytest.approx(noise)
    assert Heun(s_churn=1).plan(levels)[0].sigma == pytest.approx(80 * 1.2)


def test_a_churned_step_is_algorithm_2_written_out() -> None:
    solver = Heun(s_churn=0.5, s_noise=1.003)
    x = torch.tensor([3.0, -1.0], dtype=torch.float64)
    noise = torch.randn(2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    start, end = 2.0, 1.2
    raised = start * (1 + min(0.5, math.sqrt(2) - 1))
    lifted = x + math.sqrt(raised**2 - start**2) * 1.003 * noise
    slope = (lifted - gaussian(lifted, raised)) / raised
    euler = lifted + (end - raised) * slope
    expected = lifted + (end - raised) * (slope + (euler - gaussian(euler, end)) / end) / 2
    result = solver.solve(
        gaussian, x, torch.tensor([start, end], dtype=torch.float64), generator=torch.Generator().manual_seed(7)
    )
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


def test_an_items_noise_does_not_depend_on_the_batch() -> None:
    solver = Heun(s_churn=10)
    x = 80 * torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    sigmas = Karras().sigmas(8, 0.002, 80.0)
    together = solver.solve(gaussian, x, sigmas, generator=generators(5, 6, 7))
    for i, seed in enumerate((5, 6, 7)):
        alone = solver.solve(gaussian, x[i : i + 1], sigmas, generator=generators(seed))
        assert torch.equal(together[i : i + 1], alone)
    assert not torch.equal(together, solver.solve(gaussian, x, sigmas, generator=generators(5, 6, 8)))


def test_the_step_to_zero_extrapolates_from_twice_the_level_unless_fresh_noise_lies_between() -> None:
    """Linear in sigma^2 through D at the last level and at the newest one of twice that; Euler's takes the last."""

    def square(x: Tensor, sigma: float) -> Tensor:
        return torch.full_like(x, 3 + 7 * sigma**2)

    x, levels = torch.zeros(2, dtype=torch.float64), [2.0, 1.0, 0.5, 0.3, 0.0]
    sigmas = torch.tensor(levels, dtype=torch.float64)
    torch.testing.assert_close(Heun().solve(square, x, sigmas), x + 3, rtol=1e-12, atol=1e-12)
    for solver in (Heun(finish="euler"), Heun(s_churn=10, s_max=0.6, s_noise=0.5)):
        level = solver.plan(levels)[-1].sigma
        end = solver.solve(square, x, sigmas, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(end, square(x, level), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(Heun().solve(square, x, sigmas[-2:]), square(x, 0.3), rtol=1e-12, atol=1e-12)


def test_churn_keeps_the_distribution() -> None:
    """The stochastic sampler ends in the data's own Gaussian, like the deterministic one."""
    x = 80 * torch.randn(20000, generator=torch.Generator().manual_seed(0))
    result = Heun(s_churn=20).solve(
        gaussian, x, Karras().sigmas(160, 0.002, 80.0), generator=torch.Generator().manual_seed(1)
    )
    assert result.std().item() == pytest.approx(STD, rel=0.02)
    # ... and yet the ends are no longer tied to the starts.
    assert abs(torch.corrcoef(torch.stack([x, result]))[0, 1].item()) < 0.9


@pytest.mark.parametrize("solver", [Heun(), Heun(s_churn=10, s_min=100), Heun(s_churn=10, s_max=0.001)])
def test_no_churn_draws_nothing_and_adds_no_evaluation(solver: Heun) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state(), torch.get_rng_state()
    x = torch.ones(2)
    sigmas = Karras().sigmas(5, 0.002, 80.0)
    result = solver.solve(gaussian, x, sigmas, generator=generator)
    assert torch.equal(result, Heun().solve(gaussian, x, sigmas))
    assert torch.equal(generator.get_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_inputs_stay_as_they_are_with_churn() -> None:
    x = torch.ones(2, 3)
    Heun(s_churn=10).solve(gaussian, x, Karras().sigmas(5, 0.002, 80.0), generator=generators(1, 2))
    assert torch.equal(x, torch.ones(2, 3))
