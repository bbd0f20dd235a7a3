"""Generated clips that are all one to the embedding: every distance says so, whether rows or whole clips are equal."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.metrics.fad import FAD
from genaudio.evaluation.metrics.fad_infinity import FADInfinity
from genaudio.evaluation.metrics.fid import FID
from genaudio.evaluation.metrics.kad import KAD
from genaudio.evaluation.metrics.precision import Precision

NOTE = "the generated clips' features are all equal"


@pytest.mark.parametrize("metric", [FAD(draws=2), FADInfinity(draws=2), FID(draws=2), KAD(draws=2)], ids=repr)
def test_every_distance_notes_equal_clips(metric: Metric, gaussian_set: Any) -> None:
    reference = gaussian_set(40, 1, frames=3)
    equal_rows = FeatureSet.of(torch.ones(12, 4))
    equal_clips = FeatureSet.of(gaussian_set(1, 0, frames=3).features.expand(12, 3, 4) / 3)
    for alike in (equal_rows, equal_clips):
        assert NOTE in metric.measure(alike, reference).card["notes"]
    assert NOTE not in metric.measure(gaussian_set(12, 0), reference).card.get("notes", ())


def test_neighbourhoods_have_none_of_them(gaussian_set: Any) -> None:
    alike = FeatureSet.of(torch.full((7, 4), 0.1))  # whose mean is not 0.1 to the last digit
    with pytest.raises(GenaudioError, match="generated clips whose features are all equal"):
        Precision().measure(alike, gaussian_set(40, 1))
