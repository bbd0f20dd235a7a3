"""The judge: what a score and a stretch have to exceed, by class."""

from __future__ import annotations

import math

import pytest
import torch

from genaudio.audit.alignment import Stretch
from genaudio.audit.comparison import Claim, Comparison
from genaudio.audit.scoring import calibrated
from genaudio.audit.sound import Sound
from genaudio.core.audit_settings import AuditSettings


def comparison(score: float) -> Comparison:
    """Of a real clip whose best stretch has this score."""
    silent = Sound(torch.zeros(1, 2), torch.zeros(1), torch.zeros(1), torch.zeros(2, 1), 0.01)
    return Comparison(silent, {}, (Claim(0, Stretch(score, 0.7, 0, 0, 0)),))


def test_sustained_sounds_need_longer_stretches_than_knocks() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = {"tone": 60.0, "knock": 4.0}
    labels = ["tone", "knock"] * 60
    scores = [wanted[label] * float(torch.rand(1, generator=generator).add(0.5)) for label in labels]
    judge = calibrated([comparison(score) for score in scores], labels, AuditSettings())
    for label, usual in wanted.items():
        largest = max(score for score, its in zip(scores, labels, strict=True) if its == label)
        threshold = math.expm1(judge.stretches.threshold(label))
        assert usual < largest < threshold < 3 * largest
    assert judge.stretches.threshold("bell") > judge.stretches.threshold("knock")


def test_without_labels_all_stretches_have_one_threshold() -> None:
    scores = [4.0 + 0.1 * number for number in range(40)]
    judge = calibrated([comparison(score) for score in scores], [None] * 40, AuditSettings())
    assert set(judge.stretches.thresholds) == {None}
    assert judge.stretches.threshold("tone") == judge.stretches.threshold(None) > math.log1p(max(scores))
    assert judge.scorer.chance == pytest.approx(max(scores), rel=0.5)
