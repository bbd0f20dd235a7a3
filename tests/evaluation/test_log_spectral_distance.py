from __future__ import annotations

import math

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.log_spectral_distance import log_spectral_distance

NOISE = 0.1 * torch.randn(3, 2, 4000, generator=torch.Generator().manual_seed(0))


def test_a_gain_is_its_decibels_apart() -> None:
    distance = log_spectral_distance(NOISE, 2 * NOISE, 8000)
    assert distance.tolist() == pytest.approx([20 * math.log10(2)] * 3, abs=1e-4)


def test_equal_clips_are_not_apart_and_order_does_not_matter() -> None:
    assert log_spectral_distance(NOISE, NOISE, 8000).tolist() == [0, 0, 0]
    other = NOISE.flip(0)
    assert torch.equal(log_spectral_distance(NOISE, other, 8000), log_spectral_distance(other, NOISE, 8000))


def test_polarity_is_not_heard_and_what_is_below_the_floor_neither() -> None:
    assert log_spectral_distance(NOISE, -NOISE, 8000).max() < 1e-4
    assert log_spectral_distance(torch.zeros(1, 1, 4000), 1e-7 * NOISE[:1, :1], 8000).item() == 0
    assert log_spectral_distance(torch.zeros(1, 1, 4000), NOISE[:1, :1], 8000).item() > 30


def test_unequal_shapes_are_refused() -> None:
    with pytest.raises(GenaudioError, match="expected  equal shapes"):
        log_spectral_distance(NOISE, NOISE[:2], 8000)
