from __future__ import annotations

import pytest
import torch

from genaudio.datasets.base import Clip, Clips
from genaudio.training.batches import Batches


class Numbered(Clips):
    """Clip i is the constant waveform i; the crop seed is kept in the identity."""

    sample_rate, channels, length, classes = 8000, 1, 4, ("even", "odd")

    def __init__(self, size: int | None) -> None:
        self.size = size

    def clip(self, index: int, seed: int) -> Clip:
        return Clip(torch.full((1, 4), float(index)), index % 2, f"{index}/{seed}")


def order(batches: Batches, count: int) -> list[int]:
    return [int(w[0, 0]) for k in range(count) for w in batches[k].waveform]


def test_an_epoch_visits_every_clip_once_and_epochs_differ():
    seen = order(Batches(Numbered(12), 4, seed=1), 6)
    assert sorted(seen[:12]) == sorted(seen[12:]) == list(range(12))
    assert seen[:12] != seen[12:]


def test_a_batch_may_span_two_epochs_without_losing_a_clip():
    seen = order(Batches(Numbered(5), 4, seed=1), 5)
    assert sorted(seen) == sorted(list(range(5)) * 4)


def test_the_walk_does_not_depend_on_batch_size_or_on_where_it_starts():
    whole = order(Batches(Numbered(12), 1, seed=3), 24)
    assert order(Batches(Numbered(12), 6, seed=3), 4) == whole
    started_late = [int(w[0, 0]) for b in Batches(Numbered(12), 6, seed=3).walk(2, 4, workers=0) for w in b.waveform]
    assert started_late == whole[12:]


def test_crop_seeds_differ_between_epochs_and_repeat_between_runs():
    first, again = Batches(Numbered(3), 3, seed=5), Batches(Numbered(3), 3, seed=5)
    assert first[0].identities == again[0].identities
    assert not set(first[0].identities) & set(first[1].identities)
    assert first[0].identities != Batches(Numbered(3), 3, seed=6)[0].identities


def test_an_endless_source_is_walked_in_order():
    assert order(Batches(Numbered(None), 4, seed=1), 3) == list(range(12))


def test_threads_change_nothing():
    batches = Batches(Numbered(10), 3, seed=2)
    alone = [b.identities for b in batches.walk(1, 9, workers=0)]
    assert [b.identities for b in batches.walk(1, 9, workers=3)] == alone


def test_a_failing_clip_reaches_the_caller():
    class Broken(Numbered):
        def clip(self, index: int, seed: int) -> Clip:
            raise ValueError("no such clip")

    for workers in (0, 2):
        with pytest.raises(ValueError, match="no such clip"):
            list(Batches(Broken(4), 2, seed=0).walk(0, 2, workers))
