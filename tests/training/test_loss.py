from __future__ import annotations

import pytest
import torch

import genaudio
from genaudio.training.loss import denoising_loss


def test_an_untrained_network_that_gives_0_has_the_loss_of_its_skip_connection():
    """With F = 0, D = c_skip y; E lambda ||D - x||^2 = 1 for Gaussian data of the right variance, at every sigma."""
    edm = genaudio.create("preconditioner", "edm", sigma_data=0.5)
    generator = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(3, 1, 64, 512, generator=generator, dtype=torch.float64)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    sigma = torch.tensor([0.01, 0.5, 40.0], dtype=torch.float64)
    loss = denoising_loss(edm.denoiser(lambda y, level, c: torch.zeros_like(y)), edm, x, sigma, noise, None)
    assert loss.shape == (3,)
    assert loss.tolist() == pytest.approx([1, 1, 1], rel=0.05)


def test_a_perfect_denoiser_has_no_loss():
    edm = genaudio.create("preconditioner", "edm", sigma_data=0.5)
    x = torch.randn(2, 1, 4, 4)
    loss = denoising_loss(lambda y, sigma, c: x, edm, x, torch.tensor([0.1, 3.0]), torch.randn_like(x), None)
    assert torch.equal(loss, torch.zeros(2))
