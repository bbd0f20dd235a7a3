"""Search against brute force, the block's size, ties, who may meet whom, faiss."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.audit.search import Neighbours, Rows, nearest
from genaudio.core.errors import GenaudioError


def drawn(rows: int, seed: int, dimensions: int = 12) -> Tensor:
    return torch.randn(rows, dimensions, generator=torch.Generator().manual_seed(seed))


def brute_force(queries: Rows, keys: Rows, k: int, measure: str) -> Neighbours:
    """Every pair, one by one, in float64; pairs that may not meet have -inf."""
    scores = torch.full((len(queries.vectors), len(keys.vectors)), -torch.inf, dtype=torch.float64)
    for i, q in enumerate(queries.vectors.double()):
        for j, v in enumerate(keys.vectors.double()):
            if queries.owner is not None and keys.owner is not None and queries.owner[i] == keys.owner[j]:
                continue
            if queries.group is not None and keys.group is not None and queries.group[i] != keys.group[j]:
                continue
            scores[i, j] = torch.dot(q, v) / (q.norm() * v.norm()) if measure == "cosine" else -(q - v).square().sum()
    best, order = scores.sort(dim=1, descending=True, stable=True)
    return Neighbours(best[:, :k], torch.where(best == -torch.inf, -1, order)[:, :k])


def same(found: Neighbours, wanted: Neighbours) -> None:
    assert torch.equal(found.indices, wanted.indices)
    torch.testing.assert_close(found.scores, wanted.scores, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [1, 7, 64, 8192])
@pytest.mark.parametrize("measure", ["cosine", "squared_distance"])
@pytest.mark.parametrize("restricted", [False, True])
def test_blocks_find_what_brute_force_finds(block: int, measure: Any, restricted: bool) -> None:
    queries, keys = Rows(drawn(20, 0)), Rows(drawn(45, 1))
    if restricted:
        queries = Rows(queries.vectors, torch.arange(20) // 2, torch.arange(20) % 3)
        keys = Rows(keys.vectors, torch.arange(45) // 3, torch.arange(45) % 3)
    same(nearest(queries, keys, 4, measure=measure, block=block), brute_force(queries, keys, 4, measure))


def test_no_bit_depends_on_the_block() -> None:
    queries, keys = drawn(300, 2, 64), drawn(1000, 3, 64)
    whole = nearest(queries, keys, 5)
    for block in (13, 100, 999):
        parts = nearest(queries, keys, 5, block=block)
        assert torch.equal(parts.indices, whole.indices)
        assert torch.equal(parts.scores, whole.scores)


@pytest.mark.parametrize("block", [2, 3, 100])
def test_equal_keys_come_in_order_of_index(block: int) -> None:
    base = drawn(4, 4)
    keys = torch.cat([base, base, base])
    found = nearest(base, keys, 3, block=block)
    assert found.indices.tolist() == [[n, n + 4, n + 8] for n in range(4)]
    assert bool((found.scores[:, :1] == found.scores).all())


def test_a_clip_does_not_meet_itself() -> None:
    rows = Rows(drawn(30, 5), torch.arange(30) // 3)
    found = nearest(rows, rows, 2)
    assert bool((rows.owner[found.indices] != rows.owner[:, None]).all())


def test_too_few_keys_leave_places_empty() -> None:
    groups, others = torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1])
    found = nearest(Rows(drawn(3, 6), group=groups), Rows(drawn(3, 7), group=others), 2)
    assert (found.indices < 0).tolist() == [[False, False], [False, True], [True, True]]
    assert torch.equal(found.scores == -torch.inf, found.indices < 0)
    assert nearest(torch.empty(0, 5), drawn(3, 8, 5), 2).indices.shape == (0, 2)
    assert nearest(drawn(2, 8, 5), torch.empty(0, 5)).indices.tolist() == [[-1], [-1]]


def test_a_vector_of_zeros_has_the_cosine_0() -> None:
    found = nearest(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0], [0, 0, 0]]), 2)
    assert found.scores.tolist() == [[0.0, 0.0]]


def test_scores_keep_what_float32_loses() -> None:
    """Two keys whose distances differ by 1e-9 of their square: float32 products cannot tell them apart."""
    query = torch.full((1, 4), 1000.0)
    keys = query.repeat(2, 1)
    keys[0, 0] += 2**-9
    keys[1, 0] += 2**-10
    found = nearest(query, keys, 2, measure="squared_distance")
    assert found.indices.tolist() == [[1, 0]]
    assert found.scores.tolist() == [[-(2.0**-20), -(2.0**-18)]]


@pytest.mark.parametrize(
    ("queries", "keys", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), "queries of 3 dimensions, keys of 4"),
        (torch.tensor([[torch.nan]]), torch.zeros(2, 1), "queries that are not finite"),
        (torch.zeros(3), torch.zeros(2, 1), r"queries \(3,\)"),
        (Rows(torch.zeros(2, 1), torch.zeros(2)), torch.zeros(2, 1), "on one side alone"),
        (torch.zeros(2, 1), Rows(torch.zeros(2, 1), torch.zeros(3)), r"owners \(3,\) for 2 keys"),
    ],
)
def test_what_cannot_be_searched_is_said(queries: Any, keys: Any, message: str) -> None:
    with pytest.raises(GenaudioError, match=message):
        nearest(queries, keys)


def test_faiss_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(GenaudioError, match=r"pip install 'genaudio\[faiss\]'"):
        nearest(drawn(2, 0), drawn(3, 1), backend="faiss")


@pytest.mark.parametrize("measure", ["cosine", "squared_distance"])
@pytest.mark.parametrize("backend", ["faiss", "faiss_ivf"])
def test_faiss_finds_the_same_in_small_sets(measure: Any, backend: Any) -> None:
    pytest.importorskip("faiss")
    queries = Rows(drawn(40, 2), torch.arange(40) // 4, torch.arange(40) % 2)
    keys = Rows(drawn(300, 3), torch.arange(300) // 10, torch.arange(300) % 2)
    whole = nearest(queries, keys, 5, measure=measure)
    same(nearest(queries, keys, 5, measure=measure, backend=backend), whole)


def test_lists_of_faiss_find_most_neighbours() -> None:
    pytest.importorskip("faiss")
    keys = drawn(6000, 4, 16)
    queries = keys[::20] + 0.1 * drawn(300, 5, 16)
    exact, approximate = nearest(queries, keys), nearest(queries, keys, backend="faiss_ivf")
    assert float((exact.indices == approximate.indices).double().mean()) > 0.95
