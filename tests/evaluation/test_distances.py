from __future__ import annotations

import torch

from genaudio.evaluation.distances import squared_distances


def test_distances_of_equal_rows_are_0_far_from_the_origin() -> None:
    x = 1e3 + torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = squared_distances(x, x[:7])
    assert bool((found[:7].diagonal() == 0).all())
    assert (found - torch.cdist(x, x[:7], compute_mode="donot_use_mm_for_euclid_dist") ** 2).abs().max() < 1e-9
