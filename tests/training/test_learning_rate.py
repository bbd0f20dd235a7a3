from __future__ import annotations

import pytest

from genaudio.core.settings import TrainingSettings
from genaudio.training.learning_rate import learning_rate


def test_warm_up_is_linear_and_reaches_the_peak_once_it_is_over():
    settings = TrainingSettings(learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(settings, k) for k in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_cosine_falls_from_the_peak_through_half_to_nearly_zero():
    settings = TrainingSettings(steps=110, learning_rate=2.0, warmup_steps=10, decay="cosine")
    assert learning_rate(settings, 10) == pytest.approx(2.0)
    assert learning_rate(settings, 60) == pytest.approx(1.0)
    assert 0 < learning_rate(settings, 109) < 1e-3
