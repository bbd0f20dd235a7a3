"""The unbiased discrepancy, spelled out pair by pair; no bias; what has no bandwidth."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import centred_interval, half_draws
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments
from genaudio.evaluation.metrics import kad
from genaudio.evaluation.metrics.kad import KAD


def pair_by_pair(generated: FeatureSet, reference: FeatureSet) -> float:
    """Gretton et al. 2012, equation 3, over rows of different clips."""
    x, y = (
        list(zip(generated.features, generated.clip, strict=True)),
        list(zip(reference.features, reference.clip, strict=True)),
    )
    pairs = [math.dist(a, b) for i, (a, m) in enumerate(y) for b, n in y[i + 1 :] if m != n]
    width = sorted(pairs)[(len(pairs) - 1) // 2] if len(pairs) % 2 == 0 else median(pairs)

    def kernel(first: list[Any], second: list[Any], other: bool) -> float:
        values = [
            math.exp(-(math.dist(a, b) ** 2) / (2 * width**2)) for a, m in first for b, n in second if other or m != n
        ]
        return sum(values) / len(values)

    return kernel(x, x, False) + kernel(y, y, False) - 2 * kernel(x, y, True)


@pytest.mark.parametrize("frames", [0, 3])
def test_it_is_the_discrepancy_pair_by_pair(gaussian_set: Any, frames: int) -> None:
    generated, reference = gaussian_set(12, 0, shift=0.5, frames=frames), gaussian_set(9, 1, frames=frames)
    found = KAD(draws=0, scale=1.0, frames="all").measure(generated, reference)
    assert found.value == pytest.approx(pair_by_pair(generated, reference), rel=1e-10)
    hundred = KAD(draws=0, frames="all").measure(generated, reference)
    assert hundred.value == pytest.approx(100 * found.value)
    assert hundred.card["scale"] == 100


def at_once(generated: FeatureSet, reference: FeatureSet, width: float | None = None) -> float:
    """The same formula on whole matrices of kernels, the distances as differences of features."""
    x, y = generated.features, reference.features
    if width is None:
        distances = torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist")
        width = float(distances[reference.clip[:, None] != reference.clip].median())

    def mean(a: torch.Tensor, b: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        squares = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
        return ((-squares / (2 * width**2)).exp() * counts).sum() / counts.sum()

    within = [mean(one.features, one.features, one.clip[:, None] != one.clip) for one in (generated, reference)]
    return float(within[0] + within[1] - 2 * mean(x, y, torch.ones(len(x), len(y))))


@pytest.mark.parametrize("frames", [0, 3])
@pytest.mark.parametrize("block", [1, 1000, 2**22])
def test_blocks_of_any_size_give_the_discrepancy_of_whole_matrices(
    gaussian_set: Any, monkeypatch: pytest.MonkeyPatch, frames: int, block: int
) -> None:
    monkeypatch.setattr(kad, "_BLOCK", block)
    generated, reference = gaussian_set(61, 0, shift=0.5, frames=frames), gaussian_set(83, 1, frames=frames)
    found = KAD(draws=5, scale=1.0, frames="all").measure(generated, reference)
    assert found.value == pytest.approx(at_once(generated, reference), rel=1e-12)
    halves = list(half_draws((61, 83), draws=5, seed=0))
    by_hand = [at_once(generated.select(a), reference.select(b), found.card["bandwidth"]) for a, b in halves]
    assert found.interval == pytest.approx(
        centred_interval(torch.tensor(by_hand, dtype=torch.float64), found.value, 0.95), rel=1e-11
    )


def test_the_bandwidth_is_the_references_whatever_was_generated(gaussian_set: Any) -> None:
    reference = gaussian_set(50, 1)
    near, far = (KAD(draws=0).measure(gaussian_set(40, 0, spread=spread), reference) for spread in (1.0, 9.0))
    assert near.card["bandwidth"] == far.card["bandwidth"] == pytest.approx(math.sqrt(8), rel=0.2)
    assert far.value > near.value


def test_of_an_even_number_of_pairs_the_bandwidth_is_the_lower_middle_as_kadtk_has_it(gaussian_set: Any) -> None:
    """Clips at 0, 1, 3, 7: the distances 1, 2, 3, 4, 6, 7, of which torch's median, and so kadtk's, is 3."""
    reference = FeatureSet.of(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    found = KAD(draws=0).measure(gaussian_set(5, 0, dimensions=1), reference).card["bandwidth"]
    assert found == pytest.approx(3)
    assert found == pytest.approx(float(torch.pdist(reference.features).median()))


def test_it_has_no_bias_at_few_clips_and_its_interval_holds_0(gaussian_set: Any) -> None:
    values, inside = [], 0
    for seed in range(60):
        found = KAD(draws=60).measure(gaussian_set(30, 2 * seed), gaussian_set(40, 2 * seed + 1))
        values.append(found.value)
        inside += found.interval[0] <= 0 <= found.interval[1]
    drawn = torch.tensor(values)
    assert abs(float(drawn.mean())) < 2.5 * float(drawn.std()) / math.sqrt(60)
    assert float(drawn.min()) < 0 < float(drawn.max())
    assert inside >= 53  # of 57 that 95% are


def test_the_interval_holds_the_truth_of_a_shift(gaussian_set: Any) -> None:
    """Against the value of many clips, under one kernel: the references are large and alike."""
    truth = KAD(draws=0).measure(gaussian_set(1500, 999, shift=0.5), gaussian_set(1500, 998)).value
    inside = 0
    for seed in range(40):
        found = KAD(draws=60).measure(gaussian_set(100, seed, shift=0.5), gaussian_set(100, 500 + seed))
        inside += found.interval[0] <= truth <= found.interval[1]
    assert inside >= 34


def test_what_has_no_bandwidth_or_no_clips_is_refused(gaussian_set: Any) -> None:
    some = gaussian_set(20, 0)
    with pytest.raises(GenaudioError, match="reference clips of which half or more are equal"):
        KAD().measure(some, FeatureSet.of(torch.ones(20, 4)))
    with pytest.raises(GenaudioError, match="only mean and covariance are known, for `kad`"):
        KAD().measure(some, FeatureSet.of_moments(Moments.of(some.features)))
    with pytest.raises(GenaudioError, match="3 clips for `kad`"):
        KAD().measure(gaussian_set(3, 0), some)
    for frames in ("mean", "all"):  # a kernel distance has no covariance to speak of
        with pytest.raises(GenaudioError, match=r"^one clip for `kad`\n +expected +at least 4 in each set"):
            KAD(frames=frames).measure(some, gaussian_set(1, 0))
    with pytest.raises(GenaudioError, match="features of 4 and of 5 dimensions"):
        KAD().measure(some, gaussian_set(20, 0, dimensions=5))
