from __future__ import annotations

import pytest
import torch
from torch import nn

from genaudio.training.ema import MovingAverage


def test_the_average_is_the_weighted_sum_of_the_weights_that_were_seen():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = MovingAverage(model, 0.9)
    expected = 0.0
    for update, value in enumerate([1.0, -2.0, 3.0, 0.5]):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(model, update)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert float(average.model.weight) == pytest.approx(expected, rel=1e-6)


def test_decay_rises_from_a_tenth_to_the_one_asked_for():
    average = MovingAverage(nn.Linear(1, 1), 0.99)
    assert average.decay_at(0) == pytest.approx(0.1)
    assert average.decay_at(10_000) == 0.99


def test_the_average_needs_no_gradient_and_leaves_the_model_alone():
    model = nn.Linear(2, 2)
    before = model.weight.clone()
    average = MovingAverage(model, 0.5)
    average.update(model, 0)
    assert torch.equal(model.weight, before)
    assert not any(p.requires_grad for p in average.model.parameters())
