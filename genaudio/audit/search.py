"""Nearest neighbours in large sets of vectors: exact, block by block, in bounded memory.

Shapes: queries (queries, dimensions), keys (keys, dimensions), float32; owners and groups one whole number a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError

Measure = Literal["cosine", "squared_distance"]
Backend = Literal["exact", "faiss", "faiss_ivf"]

# Candidates beyond k that are kept in float32 and scored again in float64: the rounding of float32, which differs with
# the shape of a block, then decides nothing, unless more keys than these tie with the last neighbour to 1e-6.
MARGIN = 16
_PAIRS_AT_ONCE = 1 << 14  # pairs that are scored again at a time


@dataclass(frozen=True)
class Neighbours:
    """The nearest keys of each query, best first: `scores` and `indices`, both `(queries, k)`.

    Scores are cosines, or squared Euclidean distances with a minus, in float64: higher is nearer. Where a query has
    fewer than k keys that it may meet, the score is -inf and the index -1.
    """

    scores: Tensor
    indices: Tensor


@dataclass(frozen=True)
class Rows:
    """Vectors, and who they belong to.

    `owner`: rows of one owner never meet (a clip does not find itself). `group`: only rows of one group meet (classes).
    None: no restriction, which then must be so on both sides.
    """

    vectors: Tensor
    owner: Tensor | None = None
    group: Tensor | None = None

    def select(self, rows: Tensor) -> Rows:
        """These rows, without their group."""
        return Rows(self.vectors[rows], None if self.owner is None else self.owner[rows])


def nearest(
    queries: Rows | Tensor,
    keys: Rows | Tensor,
    k: int = 1,
    *,
    measure: Measure = "cosine",
    block: int = 8192,
    device: str = "cpu",
    backend: Backend = "exact",
) -> Neighbours:
    """The k nearest keys of each query; equal scores in order of index.

    Memory beyond the input: 4 block^2 bytes of scores on `device`, and two blocks of vectors; the block changes
    nothing else. A vector of zeros has the cosine 0 with everything. `faiss` and `faiss_ivf` need the extra
    `genaudio[faiss]`, run on the CPU, and score what they find as the exact search does; `faiss_ivf` is approximate.
    Raises `GenaudioError` for vectors that are not finite or do not fit each other.
    """
    q = queries if isinstance(queries, Rows) else Rows(queries)
    v = keys if isinstance(keys, Rows) else Rows(keys)
    _check(q, v, k, block)
    scores = torch.full((len(q.vectors), k), -torch.inf, dtype=torch.float64)
    indices = torch.full((len(q.vectors), k), -1, dtype=torch.long)
    for rows, columns in _groups(q, v):
        few, many = (q, v) if q.group is None else (q.select(rows), v.select(columns))
        if backend == "exact":
            candidates = _candidates(few, many, k + MARGIN, measure, block, torch.device(device))
        else:
            from genaudio.audit.faiss_search import candidates as of_faiss

            small, large = (replace(one, vectors=_prepared(one.vectors, measure)) for one in (few, many))
            candidates = of_faiss(small, large, k + MARGIN, measure, approximate=backend == "faiss_ivf")
        found = _scored_again(few, many, candidates, k, measure)
        width = found.scores.shape[1]
        scores[rows, :width] = found.scores
        indices[rows, :width] = torch.where(found.indices < 0, -1, columns[found.indices.clamp_min(0)])
    return Neighbours(scores, indices)


def unit(vectors: Tensor) -> Tensor:
    """Rows of length 1; rows of zeros stay zeros."""
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return torch.where(length > 0, vectors / length, torch.zeros_like(vectors))


def _groups(queries: Rows, keys: Rows) -> Iterator[tuple[Tensor, Tensor]]:
    """Which queries meet which keys: a class at a time, so that no score of different classes is ever computed."""
    if queries.group is None or keys.group is None:
        yield torch.arange(len(queries.vectors)), torch.arange(len(keys.vectors))
        return
    for group in sorted(set(queries.group.tolist())):
        columns = (keys.group == group).nonzero()[:, 0]
        if len(columns):
            yield (queries.group == group).nonzero()[:, 0], columns


def _candidates(queries: Rows, keys: Rows, count: int, measure: Measure, block: int, device: torch.device) -> Tensor:
    """`(queries, <= count)`: indices of the best keys by float32 scores, -1 where there are too few."""
    chosen = []
    for start in range(0, len(queries.vectors), block):
        few = slice(start, start + block)
        q = _prepared(queries.vectors[few], measure, device)
        best = torch.empty(len(q), 0, device=device)
        index = torch.empty(len(q), 0, dtype=torch.long, device=device)
        for first in range(0, len(keys.vectors), block):
            many = slice(first, first + block)
            scores = _scores(q, _prepared(keys.vectors[many], measure, device), measure)
            if queries.owner is not None and keys.owner is not None:
                same = queries.owner[few].to(device)[:, None] == keys.owner[many].to(device)
                scores.masked_fill_(same, -torch.inf)
            top, column = scores.topk(min(count, scores.shape[1]))
            best, index = torch.cat((best, top), 1), torch.cat((index, column + first), 1)
            best, order = best.topk(min(count, best.shape[1]))
            index = index.gather(1, order)
        chosen.append(torch.where(best == -torch.inf, -1, index).cpu())
    width = min(count, len(keys.vectors))
    return torch.cat(chosen) if chosen else torch.empty(0, width, dtype=torch.long)


def _prepared(vectors: Tensor, measure: Measure, device: torch.device | str = "cpu") -> Tensor:
    vectors = vectors.to(device, torch.float32)
    return unit(vectors) if measure == "cosine" else vectors


def _scores(queries: Tensor, keys: Tensor, measure: Measure) -> Tensor:
    product = queries @ keys.T
    if measure == "cosine":
        return product
    return product.mul_(2).sub_(queries.square().sum(1)[:, None]).sub_(keys.square().sum(1))


def _scored_again(queries: Rows, keys: Rows, candidates: Tensor, k: int, measure: Measure) -> Neighbours:
    """The k best candidates by scores in float64, each of which is a function of its two vectors alone."""
    width = candidates.shape[1]
    ordered = candidates.sort(1).values  # so that a stable sort by score leaves equal scores in order of index
    scores = torch.full(ordered.shape, -torch.inf, dtype=torch.float64)
    step = max(1, _PAIRS_AT_ONCE // max(width, 1))
    for start in range(0, len(ordered), step):
        few = slice(start, start + step)
        q = queries.vectors[few, None].double()
        v = keys.vectors[ordered[few].clamp_min(0)].double()
        if measure == "cosine":
            lengths = torch.linalg.vector_norm(q, dim=2) * torch.linalg.vector_norm(v, dim=2)
            product = (q * v).sum(2)
            scores[few] = torch.where(lengths > 0, product / lengths, torch.zeros_like(product))
        else:
            scores[few] = -(q - v).square().sum(2)
    scores.masked_fill_(ordered < 0, -torch.inf)
    best, order = scores.sort(dim=1, descending=True, stable=True)
    return Neighbours(best[:, :k], ordered.gather(1, order)[:, :k])


def _check(queries: Rows, keys: Rows, k: int, block: int) -> None:
    if k < 1 or block < 1:
        raise GenaudioError(f"k {k}, block {block}", expected="both at least 1")
    for name, rows in (("queries", queries), ("keys", keys)):
        if rows.vectors.ndim != 2:
            raise GenaudioError(f"{name} {tuple(rows.vectors.shape)}", expected="(rows, dimensions)")
        starts = range(0, len(rows.vectors), block)
        if not all(bool(rows.vectors[start : start + block].isfinite().all()) for start in starts):
            raise GenaudioError(f"{name} that are not finite", expected="finite vectors", mend="look for silent clips")
        for what, given in (("owners", rows.owner), ("groups", rows.group)):
            if given is not None and given.shape != rows.vectors.shape[:1]:
                raise GenaudioError(
                    f"{what} {tuple(given.shape)} for {len(rows.vectors)} {name}", expected=f"one of the {what} a row"
                )
    if queries.vectors.shape[1] != keys.vectors.shape[1]:
        raise GenaudioError(
            f"queries of {queries.vectors.shape[1]} dimensions, keys of {keys.vectors.shape[1]}", expected="equal ones"
        )
    if (queries.owner is None) != (keys.owner is None) or (queries.group is None) != (keys.group is None):
        raise GenaudioError("owners or groups on one side alone", expected="them on both sides or on neither")
