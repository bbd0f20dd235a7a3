from __future__ import annotations

import torch

from genaudio.evaluation.manifold import radii, within


def test_radii_reach_to_the_kth_other_clip_and_copies_count() -> None:
    places = torch.tensor([[0.0], [1.0], [1.0], [5.0]], dtype=torch.float64)
    assert radii(places, 1, "real").tolist() == [1, 0, 0, 16]
    assert radii(places, 2, "real").tolist() == [1, 1, 1, 16]
    assert within(places, radii(places, 1, "real"), places).diagonal().all()
