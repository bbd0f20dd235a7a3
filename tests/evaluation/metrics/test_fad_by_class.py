"""FAD of classes apart, of frames, of moments, and by DCASE's protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments, frechet_distance
from genaudio.evaluation.metrics.fad import FAD


def labelled(features: FeatureSet, classes: str) -> FeatureSet:
    return replace(features, labels=tuple(classes[n % len(classes)] for n in range(features.clips)))


def of_class(features: FeatureSet, label: str) -> torch.Tensor:
    return torch.cat(
        [
            row[None]
            for row, clip in zip(features.features, features.clip, strict=True)
            if features.labels[int(clip)] == label
        ]
    )


def test_the_value_is_the_mean_of_the_classes_and_each_has_its_own(gaussian_set: Any) -> None:
    generated = labelled(gaussian_set(80, 0, shift=1.0), "ab")
    reference = labelled(gaussian_set(90, 1), "ab")
    found = FAD(by_class=True, draws=30).measure(generated, reference)
    expected = {label: frechet_distance(of_class(generated, label), of_class(reference, label)) for label in "ab"}
    assert {label: one.value for label, one in found.by_class.items()} == pytest.approx(expected)
    assert found.value == pytest.approx(sum(expected.values()) / 2)
    assert found.by_class["a"].card["generated"] == 40
    low, high = found.interval
    widths = [one.interval[1] - one.interval[0] for one in found.by_class.values()]
    assert high - low < max(widths)  # independent deviations average out


def test_the_dcase_protocol_is_by_class_of_every_frame_with_its_own_embedding(gaussian_set: Any) -> None:
    metric = FAD(preset="dcase2023_task7", draws=0)
    assert metric.protocol_embedding == {"type": "vggish", "protocol": "dcase2023_task7"}
    assert FAD().protocol_embedding is None
    card = {"embedding": "vggish", "embedding_fields": {"protocol": "dcase2023_task7", "weights": "vggish.pt"}}
    generated, reference = (replace(labelled(gaussian_set(200, seed, frames=3), "ab"), card=card) for seed in (0, 1))
    found = metric.measure(generated, reference)
    expected = [frechet_distance(of_class(generated, label), of_class(reference, label)) for label in "ab"]
    assert found.value == pytest.approx(sum(expected) / 2)
    assert found.card["protocol"] == "dcase2023_task7"
    assert "notes" not in found.card
    few = metric.measure(generated.select(torch.arange(100)), reference)
    assert any("50 generated clips; the protocol has 100 of a class" in note for note in few.card["notes"])
    strange = metric.measure(replace(generated, card={"embedding": "clap"}), reference)
    assert strange.card["notes"] == [
        "a, b: not the embedding of the protocol: comparable with no figure of the challenge"
    ]
    with pytest.raises(ValidationError, match="leave `frames` at `all`"):
        FAD(preset="dcase2023_task7", frames="mean")


def test_frames_are_rows_or_are_averaged(gaussian_set: Any) -> None:
    generated, reference = (gaussian_set(50, seed, frames=4) for seed in (0, 1))
    every = FAD(draws=0).measure(generated, reference)
    assert every.value == frechet_distance(generated.features, reference.features)
    assert every.card["generated_rows"] == 200
    mean = FAD(draws=0, frames="mean").measure(generated, reference)
    assert mean.value == pytest.approx(
        frechet_distance(generated.features.view(50, 4, -1).mean(1), reference.features.view(50, 4, -1).mean(1))
    )


def test_clips_of_a_single_frame_count_as_one_row_each(gaussian_set: Any) -> None:
    single = gaussian_set(50, 0, frames=1)
    assert FAD(draws=0).measure(single, gaussian_set(60, 1)).value > 0


def test_moments_do_as_a_reference(gaussian_set: Any) -> None:
    generated, reference = gaussian_set(60, 0), gaussian_set(80, 1)
    shipped = FeatureSet.of_moments(Moments.of(reference.features))
    found, expected = (FAD(draws=20).measure(generated, one) for one in (shipped, reference))
    assert found.value == pytest.approx(expected.value)
    assert found.interval == pytest.approx(expected.interval)
    assert found.card["reference"] == 80
    with pytest.raises(GenaudioError, match="for a distance of one row a clip"):
        FAD(frames="mean").measure(gaussian_set(60, 0, frames=2), shipped)


def test_moments_of_classes_do_too(gaussian_set: Any) -> None:
    generated, reference = (labelled(gaussian_set(80, seed), "ab") for seed in (0, 1))
    shipped = FeatureSet.of_moments(
        Moments.of(reference.features), class_moments={label: Moments.of(of_class(reference, label)) for label in "ab"}
    )
    metric = FAD(by_class=True, draws=0)
    assert metric.measure(generated, shipped).value == pytest.approx(metric.measure(generated, reference).value)


def test_few_clips_and_clips_that_are_all_alike_are_noted(gaussian_set: Any) -> None:
    notes = FAD(draws=0).measure(gaussian_set(20, 0), gaussian_set(400, 1)).card["notes"]
    assert notes == [
        "20 generated rows of 4 dimensions: fewer than 10 a dimension, so that the value reads too high; "
        "compare only values of equal counts"
    ]
    silent = FeatureSet.of(torch.ones(50, 4))
    with pytest.raises(GenaudioError, match="reference clips whose features are all equal"):
        FAD(draws=0).measure(gaussian_set(50, 0), silent)


def test_a_note_that_many_classes_share_does_not_spell_them_out(gaussian_set: Any) -> None:
    """Four generated clips of each of ten classes; of the last four classes five real ones, of the others forty."""
    classes = "abcdefghij"
    generated, real = labelled(gaussian_set(40, 0), classes), labelled(gaussian_set(400, 1), classes)
    few = "fewer than 10 a dimension, so that the value reads too high; compare only values of equal counts"
    shared = f"all 10 classes: 4 generated rows of 4 dimensions: {few}"
    metric = FAD(draws=0, by_class=True)
    assert metric.measure(generated, real).card["notes"] == [shared]
    uneven = real.select(torch.tensor([n for n in range(400) if n % 10 < 6 or n < 50]))
    of_some = f"g, h, i and 1 more: 5 reference rows of 4 dimensions: {few}"
    assert metric.measure(generated, uneven).card["notes"] == [shared, of_some]


def test_what_has_no_classes_in_common_is_refused(gaussian_set: Any) -> None:
    plain = gaussian_set(40, 0)
    with pytest.raises(GenaudioError, match="clips without a class"):
        FAD(by_class=True).measure(plain, plain)
    with pytest.raises(GenaudioError, match="differ in b, c"):
        FAD(by_class=True).measure(labelled(plain, "ab"), labelled(plain, "ac"))
    with pytest.raises(GenaudioError, match="no reference"):
        FAD().measure(plain, None)
