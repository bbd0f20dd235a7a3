"""What every solver promises, checked by genaudio's conformance kit, and what this one promises besides."""

from __future__ import annotations

import pytest
import torch
from acme_solvers.two_stage import TwoStage
from pydantic import ValidationError

from genaudio.plugins.testing import check_component, check_solver


@pytest.mark.parametrize("alpha", [0.5, 0.9])
def test_it_conforms(alpha: float) -> None:
    check_component(TwoStage, "solver", alpha=alpha)
    check_solver(TwoStage(alpha=alpha))


def test_it_is_exact_where_the_denoiser_is_constant() -> None:
    """Towards a constant D the trajectory is a straight line, which any Runge-Kutta method follows exactly."""
    x = torch.tensor([[3.0, -2.0]], dtype=torch.float64)
    target = torch.tensor([[0.5, 0.25]], dtype=torch.float64)
    sigmas = torch.tensor([10.0, 4.0, 1.0, 0.0], dtype=torch.float64)
    end = TwoStage().solve(lambda x, sigma: target.expand_as(x), x, sigmas)
    torch.testing.assert_close(end, target)


def test_alpha_lies_within_the_step() -> None:
    for alpha in (0.0, 1.0):
        with pytest.raises(ValidationError):
            TwoStage(alpha=alpha)
