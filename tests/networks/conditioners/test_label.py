"""The label conditioner: one vector a class, one for a dropped label."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.networks.conditioners.base import DROPPED
from genaudio.networks.conditioners.label import Label


def test_a_vector_for_each_class_and_one_for_dropped() -> None:
    label = Label(embedding_size=8)
    module = label.build(3)
    vectors = module(torch.tensor([DROPPED, 0, 1, 2]))
    assert vectors.shape == (4, label.size)
    assert torch.equal(vectors, module.embedding.weight)
    assert torch.equal(module(torch.full((2,), DROPPED))[1], vectors[0])
    assert len({tuple(vector.tolist()) for vector in vectors}) == 4


def test_only_the_vectors_in_use_get_a_gradient() -> None:
    module = Label(embedding_size=8).build(3)
    module(torch.tensor([DROPPED, 1])).sum().backward()
    assert module.embedding.weight.grad.sum(1).tolist() == [8, 0, 8, 0]


def test_a_dataset_without_classes_is_refused() -> None:
    with pytest.raises(GenaudioError, match=r"without classes[\s\S]*remove the block `conditioner`"):
        Label().build(0)


def test_a_label_beyond_the_classes_is_refused() -> None:
    with pytest.raises(IndexError):
        Label().build(3)(torch.tensor([3]))
