from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from genaudio.audit.edmsound import EDMSoundResult, edmsound
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.reports.audit_plot import distribution_plot


def result(classes: str = "ab", seed: int = 0, labelled: bool = True, twins: bool = False) -> EDMSoundResult:
    """Generated clips of which every third lies close to a training clip; or training clips in close pairs."""
    generator = torch.Generator().manual_seed(seed)
    training = torch.randn(120, 12, generator=generator)
    generated = torch.randn(90, 12, generator=generator)
    if twins:
        training[::2] = training[1::2] + 0.2 * training[::2]
    else:
        generated[::3] = training[:90:3] + 0.2 * generated[::3]
    here, there = ([classes[n % len(classes)] if labelled else None for n in range(count)] for count in (90, 120))
    return edmsound(FeatureSet.of(generated, labels=here), FeatureSet.of(training, labels=there), draws=50)


def picture(one: EDMSoundResult) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(distribution_plot(one))).convert("RGB"))


def test_classes_add_rows_of_small_panels() -> None:
    none, two, five = (picture(result(labelled=False)), picture(result("ab")), picture(result("abcde")))
    assert none.shape[1] == two.shape[1] == five.shape[1]
    assert none.shape[0] < two.shape[0] < five.shape[0]


def marks(one: EDMSoundResult) -> tuple[int, int]:
    """The columns of the picture in which the marks of generated and of training clips stand."""
    image = picture(one).astype(int)
    close = [np.abs(image - np.array(colour)).sum(2) < 40 for colour in ((0xC8, 0x50, 0x1E), (0x1F, 0x5F, 0xA8))]
    generated, training = (int(pixels.sum(0).argmax()) for pixels in close)
    return generated, training


def test_both_percentiles_are_marked_where_they_lie() -> None:
    """As far apart, of the axis from the least to the most alike, whichever is the higher."""
    shares, columns = [], []
    for twins in (False, True):
        one = result(labelled=False, twins=twins)
        assert one.overall.generated_p95 is not None
        assert one.overall.training_p95 is not None
        scores = torch.cat([one.generated.scores, one.training.scores])
        shares.append((one.overall.generated_p95 - one.overall.training_p95) / float(scores.max() - scores.min()))
        generated, training = marks(one)
        columns.append(generated - training)
    assert shares[0] > 0 > shares[1]
    assert columns[0] > 100
    assert columns[1] / columns[0] == pytest.approx(shares[1] / shares[0], rel=0.02)


def test_the_text_gives_counts_statistic_and_limits() -> None:
    text = distribution_plot(result("abcdefg"), "svg").decode()
    words = " ".join(re.findall(r"<!-- (.*?) -->", text))
    assert "90 generated" in words
    assert "120 training" in words
    assert "too few clips for a 95th percentile" in words
    assert "cosine similarity to the most similar training clip" in words
    assert "density" in words


def test_equal_results_give_equal_bytes() -> None:
    assert distribution_plot(result()) == distribution_plot(result())
    assert distribution_plot(result(), "svg") == distribution_plot(result(), "svg")
