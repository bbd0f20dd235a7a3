"""The product of a matrix with itself: against the general one, however the matrix lies in memory."""

from __future__ import annotations

import pytest
import torch

from genaudio.evaluation.gram import gram


@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 1), (1, 5), (300, 40), (40, 300)])
def test_it_is_the_general_product_and_exactly_symmetric(n: int, d: int) -> None:
    rows = torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.einsum("ni,nj->ij", rows, rows)
    for laid_out in (rows, rows.mT.contiguous().mT, torch.cat([rows, rows], 1)[:, :d], rows.clone().requires_grad_()):
        found = gram(laid_out)
        assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert torch.equal(found, found.mT)
