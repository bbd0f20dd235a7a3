from __future__ import annotations

import torch

from genaudio.evaluation.distances import squared_distances


def test_distances_of_equal_rows_are_0_far_from_the_origin() -> None:
    x = 1e3 + torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = squared_distances(x, x[:7])
    assert bool((found[:7].diagonal() == 0).all())
    assert (found - torch.cdist(x, x[:7], compute_mode="donot_use_mm_for_euclid_dist") ** 2).abs().max() < 1e-9


def test_a_set_beside_itself_is_as_beside_a_copy_of_it() -> None:
    """Of the same memory the product is the symmetric one; of a copy, or of a view that is laid out otherwise, not."""
    x = 1e2 + torch.randn(70, 70, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    itself = squared_distances(x, x)
    assert torch.equal(itself, itself.mT)
    assert torch.allclose(itself, squared_distances(x, x.clone()), rtol=1e-11, atol=1e-11)
    direct = (x[:, None] - x.mT).square().sum(-1)
    assert torch.allclose(squared_distances(x, x.mT), direct, rtol=1e-11, atol=1e-11)
