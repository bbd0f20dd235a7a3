"""Scores of class probabilities: closed forms, scripts spelled out with scipy, bounds, saturated classifiers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments
from genaudio.evaluation.metrics.am_score import AMScore
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.metrics.inception_score import InceptionScore
from genaudio.evaluation.metrics.kl import KL
from genaudio.evaluation.metrics.modified_inception_score import ModifiedInceptionScore

BALANCED = (60, 60, 60, 60, 60)


def probabilities(features: FeatureSet) -> np.ndarray:
    assert features.log_probabilities is not None
    return features.log_probabilities.exp().numpy()


def certain(counts: tuple[int, ...], logit: float = 2000.0) -> FeatureSet:
    """A classifier that is saturated: softmax in float32, or in float64, gives 0 and 1."""
    of = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    logits = torch.zeros(len(of), len(counts), dtype=torch.float64)
    logits[torch.arange(len(of)), of] = logit
    classes = tuple("abcdefghij"[: len(counts)])
    return FeatureSet.of(
        logits,
        labels=[classes[number] for number in of.tolist()],
        log_probabilities=logits.log_softmax(-1),
        classes=classes,
    )


def test_inception_score_of_all_clips_is_the_closed_form(classified_set: Any) -> None:
    generated = classified_set(BALANCED, 0)
    p = probabilities(generated)
    expected = math.exp(entropy(p.mean(0)) - entropy(p, axis=1).mean())
    found = InceptionScore(marginal="all", draws=0).measure(generated, None)
    assert found.value == pytest.approx(expected, rel=1e-12)
    halves = InceptionScore(draws=0).measure(generated, None).value
    assert halves == pytest.approx(expected, rel=0.05)
    assert halves > expected  # a clip is not in the marginal that it is compared with


def test_inception_score_runs_from_1_to_the_number_of_classes() -> None:
    assert InceptionScore(marginal="all", draws=0).measure(certain(BALANCED), None).value == pytest.approx(5)
    assert InceptionScore(marginal="all", draws=0).measure(certain((0, 50, 0)), None).value == pytest.approx(1)


def test_the_scripts_inception_score_is_reproduced_and_labelled(classified_set: Any) -> None:
    """SaShiMi's script: scipy's entropy along the clips, of the first half of a shuffle with the seed 0."""
    generated = classified_set((100, 40, 10, 5), 1)
    p = probabilities(generated)
    p = p[np.random.RandomState(0).permutation(len(p))]
    half, other = p[: len(p) // 2], p[len(p) // 2 :].mean(0)
    expected = np.exp(entropy(half, np.repeat(other[None], len(half), axis=0)).mean())
    found = InceptionScore(variant="sashimi", draws=0).measure(generated, None)
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.card["variant"] == "sashimi"
    assert "normalised over clips" in found.card["notes"][-1]


def test_the_scripts_inception_score_is_right_where_the_classes_are_balanced_alone() -> None:
    """Nine classes of 10 clips, one of 300: the script passes 10, of 10 classes."""
    skewed = certain((300, *(10,) * 9), logit=8.0)
    script = InceptionScore(variant="sashimi", draws=0).measure(skewed, None).value
    standard = InceptionScore(draws=0).measure(skewed, None).value
    assert script > 10
    assert standard < 3.2
    even = certain((100,) * 10, logit=8.0)
    values = [InceptionScore(variant=variant, draws=0).measure(even, None).value for variant in ("standard", "sashimi")]
    assert values[0] == pytest.approx(values[1], rel=0.05)


def test_modified_inception_score_is_the_mean_over_all_pairs(classified_set: Any) -> None:
    generated = classified_set((9, 5, 4), 0)
    p = probabilities(generated)
    every = np.mean([[entropy(a, b) for b in p] for a in p])
    assert ModifiedInceptionScore(draws=0).measure(generated, None).value == pytest.approx(math.exp(every), rel=1e-12)


def test_the_closed_form_is_the_sampled_one_with_more_pairs_than_anyone_draws(classified_set: Any) -> None:
    generated = classified_set((200,) * 10, 0, certainty=6.0)
    found = generated.log_probabilities
    assert found is not None
    first, second = torch.randint(2000, (2, 200_000), generator=torch.Generator().manual_seed(0))
    divergences = (found[first].exp() * (found[first] - found[second])).sum(1)
    standard_error = float(divergences.std()) / math.sqrt(200_000)
    value = ModifiedInceptionScore(draws=0).measure(generated, None).value
    assert abs(math.log(value) - float(divergences.mean())) < 4 * standard_error


def test_am_score_is_the_formula_of_the_papers(classified_set: Any) -> None:
    generated, reference = classified_set((30, 50, 20), 0), classified_set((40, 40, 40), 1)
    p, q = probabilities(generated), probabilities(reference)
    sashimi = AMScore(variant="sashimi", draws=0).measure(generated, reference)
    assert sashimi.value == pytest.approx(entropy(q.mean(0), p.mean(0)) + entropy(p, axis=1).mean(), rel=1e-12)
    standard = AMScore(draws=0).measure(generated, reference)
    expected = entropy(np.full(3, 1 / 3), p.mean(0)) + entropy(p, axis=1).mean()
    assert standard.value == pytest.approx(expected, rel=1e-12)
    assert standard.card["divergence"] + standard.card["entropy"] == pytest.approx(expected)
    assert (standard.card["reference_classes"], sashimi.card["reference_classes"]) == ("labelled", "predicted")


def test_am_score_is_best_where_the_shares_are_the_trainings_even_if_uneven() -> None:
    reference = certain((90, 10, 0))
    values = [AMScore(draws=0).measure(certain(counts), reference).value for counts in ((45, 5, 0), (25, 25, 0))]
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert values[1] == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))


def test_am_score_of_a_reference_without_labels_says_so(classified_set: Any) -> None:
    generated, reference = classified_set((30, 30), 0), classified_set((30, 30), 1, labelled=False)
    found = AMScore(draws=0).measure(generated, reference)
    assert found.value == AMScore(variant="sashimi", draws=0).measure(generated, reference).value
    assert "the reference has no labels" in found.card["notes"][-1]
    strange = replace(reference, labels=("z",) * 60)
    with pytest.raises(GenaudioError, match=r"(?s)reference clips of z.*the classes of the classifier: a, b"):
        AMScore().measure(generated, strange)


def test_kl_pairs_clips_by_name_in_whatever_order_and_format(classified_set: Any) -> None:
    generated, reference = classified_set((10, 10), 0), classified_set((10, 10), 1)
    generated = replace(generated, names=tuple(f"x/{n}.wav" for n in range(20)))
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    shuffled = replace(reference, names=tuple(f"x/{n}.ogg" for n in range(20))).select(order)
    found = KL(draws=0).measure(generated, shuffled)
    expected = np.mean([entropy(q, p) for p, q in zip(probabilities(generated), probabilities(reference), strict=True)])
    assert found.value == pytest.approx(expected, rel=1e-12)
    with pytest.raises(GenaudioError, match=r"(?s)20 of 20 generated clips have no real one.*`pairing: class`"):
        KL().measure(replace(generated, names=tuple(f"y/{n}.wav" for n in range(20))), shuffled)


def test_kl_of_classes_and_of_all_clips(classified_set: Any) -> None:
    generated, reference = classified_set((30, 20), 0), classified_set((10, 40), 1)
    p, q = probabilities(generated), probabilities(reference)
    overall = KL(pairing="marginal", draws=0).measure(generated, reference)
    assert overall.value == pytest.approx(entropy(q.mean(0), p.mean(0)), rel=1e-9)
    by_class = KL(pairing="class", draws=50).measure(generated, reference)
    parts = [entropy(q[:10].mean(0), p[:30].mean(0)), entropy(q[10:].mean(0), p[30:].mean(0))]
    assert by_class.value == pytest.approx(np.mean(parts), rel=1e-9)
    assert [one.value for one in by_class.by_class.values()] == pytest.approx(parts)
    assert by_class.interval[0] < by_class.value < by_class.interval[1]
    with pytest.raises(GenaudioError, match="no real clips of b"):
        KL(pairing="class").measure(generated, reference.of_class("a"))


METRICS = (
    InceptionScore(),
    InceptionScore(variant="sashimi"),
    ModifiedInceptionScore(),
    AMScore(),
    AMScore(variant="sashimi"),
    KL(),
    KL(pairing="class"),
    KL(pairing="marginal"),
)


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_a_saturated_classifier_gives_finite_values(metric: Metric) -> None:
    """Logits 400 apart: probabilities of 1e-174, which float32 takes for 0 and scipy for a reason of infinity."""
    found = metric.measure(certain((20, 30, 10), 400.0), certain((30, 20, 10), 400.0))
    assert math.isfinite(found.value)
    assert all(math.isfinite(end) for end in found.interval)
    assert found.interval[0] <= found.value <= found.interval[1]


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_clips_too_few_for_an_interval_are_refused(metric: Metric, classified_set: Any) -> None:
    reference = classified_set((10, 10), 0)
    for counts, given in (((1, 0), "one clip"), ((2, 1), "3 clips")):
        with pytest.raises(GenaudioError, match=rf"^{given} for `\w+`\n +expected +at least 4\n +mend +more clips"):
            metric.measure(classified_set(counts, 1), reference)
    low, high = metric.measure(classified_set((2, 2), 1), reference).interval
    assert low < high


def test_a_class_of_one_clip_has_a_value_and_no_interval(classified_set: Any) -> None:
    generated, reference = classified_set((1, 9), 0), classified_set((10, 10), 1)
    found = KL(pairing="class").measure(generated, reference)
    single, several = found.by_class["a"], found.by_class["b"]
    assert single.interval == (single.value, single.value)
    assert (single.card["interval"], single.card["notes"][-1]) == (
        "none",
        "of one clip there is no interval, and it adds nothing to that of a mean",
    )
    assert any(note.startswith("a: of one clip") for note in found.card["notes"])
    # Draws of the class `b` alone, over two classes: half as wide as of that class, where it is not cut at 0.
    assert found.interval[1] - found.value == pytest.approx((several.interval[1] - several.value) / 2)
    nothing = KL(pairing="class").measure(classified_set((1, 1, 1, 1), 0), classified_set((5, 5, 5, 5), 1))
    assert nothing.interval == (nothing.value, nothing.value)
    assert nothing.card["notes"][-1].startswith("all 4 classes: of one clip")


def test_what_has_no_exponential_is_refused_with_a_way_out() -> None:
    """Logits 2,000 apart: 1,333 nats between two classes in the mean, and exp(710) is beyond float64."""
    generated = certain((10, 10, 10))
    with pytest.raises(GenaudioError, match=r"(?s)divergence of 1333 nats, whose exp.*at most 709 nats.*marginal: all"):
        ModifiedInceptionScore().measure(generated, None)
    strange = certain((1, 5, 5))  # the one clip of `a` is in either half alone
    with pytest.raises(GenaudioError, match=r"whose exponential `inception_score` would be"):
        InceptionScore(splits=1).measure(certain((1, 1, 1, 1)), None)
    assert math.isfinite(InceptionScore(marginal="all").measure(strange, None).value)


def test_the_other_halfs_marginal_has_no_upper_end_and_all_clips_has(classified_set: Any) -> None:
    for each, documented in ((5, 5.06), (50, 4.08)):
        generated = certain((each,) * 4, logit=20.0)
        halves = InceptionScore().measure(generated, None)
        whole = InceptionScore(marginal="all").measure(generated, None)
        assert halves.value == pytest.approx(documented, abs=0.005)
        assert whole.value <= whole.interval[1] <= 4 < halves.value <= halves.interval[1]


@pytest.mark.parametrize("metric", METRICS, ids=repr)
def test_what_are_no_probabilities_is_refused(metric: Metric, classified_set: Any) -> None:
    fine = classified_set((10, 10), 0)
    with pytest.raises(GenaudioError, match=r"(?s)the generated clips have no probabilities.*gen train-classifier"):
        metric.measure(replace(fine, log_probabilities=None), fine)
    with pytest.raises(GenaudioError, match="the generated clips: 20 of 20 have"):
        metric.measure(replace(fine, log_probabilities=torch.full((20, 2), -math.inf)), fine)
    with pytest.raises(GenaudioError, match=r"2 classes whose probabilities sum to 7\.389"):
        metric.measure(replace(fine, log_probabilities=fine.log_probabilities + 2), fine)


@pytest.mark.parametrize("metric", [AMScore(), KL()], ids=repr)
def test_moments_have_no_classes(metric: Metric, classified_set: Any) -> None:
    generated = classified_set((10, 10), 0)
    with pytest.raises(GenaudioError, match="only mean and covariance are known"):
        metric.measure(generated, FeatureSet.of_moments(Moments.of(generated.features)))


def test_few_clips_are_noted(classified_set: Any) -> None:
    assert (
        "20 clips of 2 classes" in InceptionScore(draws=0).measure(classified_set((10, 10), 0), None).card["notes"][0]
    )
    assert "notes" not in InceptionScore(draws=0).measure(classified_set((60, 60), 0), None).card
