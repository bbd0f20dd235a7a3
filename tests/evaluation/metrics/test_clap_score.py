"""Cosines of sound and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import measure
from genaudio.evaluation.metrics.clap_score import CLAPScore


class Letters(Embedding):
    """Text as counts of the letters a, b, c; sound as its first three samples."""

    @property
    def sample_rate(self) -> int:
        return 8000

    @property
    def weights_sha256(self) -> None:
        return None

    def features(self, waveform: Tensor) -> Tensor:
        return waveform[:, :1, :3].double()

    def text_features(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([[text.count(letter) for letter in "abc"] for text in texts], dtype=torch.float64)


def sounds() -> FeatureSet:
    rows = torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 1, 0], [1, 1, 0]])
    return FeatureSet.of(rows, labels=("a", "b", "b", "b"))


def test_the_text_is_the_class_in_the_template_and_each_class_has_a_value() -> None:
    found = measure(CLAPScore(template="{label}", draws=20), sounds(), None, Letters())
    half = 2**-0.5
    assert found.value == pytest.approx((3 + half) / 4)
    assert found.by_class["a"].value == pytest.approx(1)
    assert found.by_class["b"].value == pytest.approx((2 + half) / 3)
    assert found.interval[0] <= found.value <= found.interval[1] <= 1
    assert found.card["template"] == "{label}"
    assert found.by_class["a"].card["interval"] == "none"  # of its one clip
    assert "4 clips" in found.card["notes"][0]
    assert CLAPScore().texts(["dog_bark"]) == ("The sound of dog bark",)


def test_frames_are_averaged_and_text_that_is_there_is_used(gaussian_set: Any) -> None:
    generated = gaussian_set(10, 0, frames=3)
    text = gaussian_set(10, 1).features
    found = CLAPScore(draws=0).measure(replace(generated, text=text), None)
    expected = torch.nn.functional.cosine_similarity(generated.features.view(10, 3, -1).mean(1), text).mean()
    assert found.value == pytest.approx(float(expected))
    chosen = replace(generated, text=text).select(torch.tensor([4, 4, 1]))
    assert torch.equal(chosen.text, text[[4, 4, 1]])


def test_what_has_no_text_or_no_angle_is_refused() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)no features of text.*`clap`"):
        CLAPScore().measure(sounds(), None)
    with pytest.raises(GenaudioError, match="generated clips without a class"):
        measure(CLAPScore(), FeatureSet.of(torch.ones(2, 3)), None, Letters())
    broken = sounds()
    broken.features[2] = 0
    with pytest.raises(GenaudioError, match="1 of 4 features of sound are 0"):
        measure(CLAPScore(template="{label}"), broken, None, Letters())
    with pytest.raises(GenaudioError, match="one clip for `clap_score`"):
        measure(CLAPScore(template="{label}"), sounds().select(torch.tensor([1])), None, Letters())
    with pytest.raises(ValidationError, match="template"):
        CLAPScore(template="a sound")
