from __future__ import annotations

import pytest
import torch

from genaudio.samplers.grid_search import typical_error


def test_the_error_of_many_items_is_the_geometric_mean_over_blocks() -> None:
    each = torch.cat([torch.full((256,), 0.01), torch.full((256,), 1.0), torch.full((100,), 50.0)]).double()
    assert typical_error(each) == pytest.approx(0.1)
    assert typical_error(each[:300]) == pytest.approx(float(each[:300].square().mean().sqrt()))
    assert typical_error(torch.zeros(5, dtype=torch.float64)) == 0.0
