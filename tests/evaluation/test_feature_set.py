"""Rows of clips: choosing, averaging, classes, and sets of which the moments alone are known."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments


def uneven() -> FeatureSet:
    """Three clips of 2, 1 and 3 rows."""
    rows = torch.arange(12, dtype=torch.float64).view(6, 2)
    clip = torch.tensor([0, 0, 1, 2, 2, 2])
    return FeatureSet(rows, clip, ("x", "y", "z"), ("a", None, "a"), text=torch.eye(3, dtype=torch.float64))


def test_a_clip_is_chosen_with_all_of_its_rows_as_often_as_it_is_named() -> None:
    chosen = uneven().select(torch.tensor([2, 0, 2]))
    assert chosen.features[:, 0].tolist() == [6, 8, 10, 0, 2, 6, 8, 10]
    assert chosen.clip.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert chosen.names == ("z", "x", "z")
    assert chosen.text is not None
    assert chosen.text.argmax(1).tolist() == [2, 0, 2]


def test_the_mean_of_each_clips_rows() -> None:
    averaged = uneven().averaged()
    assert averaged.features.tolist() == [[1, 2], [4, 5], [8, 9]]
    assert averaged.clip.tolist() == [0, 1, 2]
    assert averaged.averaged() is averaged
    assert averaged.names == uneven().names


def test_the_clips_and_the_moments_of_a_class() -> None:
    assert uneven().found_classes == ("a",)
    assert uneven().of_class("a").names == ("x", "z")
    moments = Moments.of(uneven().features)
    shipped = FeatureSet.of_moments(moments, class_moments={"b": moments}, card={"embedding": "e"})
    assert shipped.found_classes == ("b",)
    assert shipped.of_class("b").moments is moments
    assert (shipped.clips, shipped.features.shape) == (0, (0, 2))


def test_features_of_one_dimension_are_refused() -> None:
    with pytest.raises(GenaudioError, match=r"features \(5,\)"):
        FeatureSet.of(torch.zeros(5))
