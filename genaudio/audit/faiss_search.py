"""Candidates of a search found by faiss, an index library (the extra `genaudio[faiss]`).

Shapes: as in `search`; vectors float32 on the CPU, of length 1 where the measure is the cosine.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError

if TYPE_CHECKING:
    from genaudio.audit.search import Measure, Rows

_FEWEST_FOR_LISTS = 4096  # keys below which lists of a few vectors each would save nothing
_VISITED = 1 / 8  # share of the lists that a query looks into


def candidates(queries: Rows, keys: Rows, count: int, measure: Measure, *, approximate: bool) -> Tensor:
    """`(queries, <= count)`: indices of the best keys, -1 where there are too few.

    `approximate` divides the keys into about 4 sqrt(n) lists around centres that k-means finds, and looks into the
    eighth of them that is nearest to a query: a neighbour in another list is missed. Below 4096 keys it is exact.
    Raises `GenaudioError` where faiss is not installed.
    """
    faiss = _faiss()
    index = _index(faiss, _array(keys.vectors), measure, approximate=approximate)
    # The library cannot leave out a clip's own rows: ask for as many more as the largest owner has, then drop them.
    own = 0 if keys.owner is None else max(Counter(keys.owner.tolist()).values())
    _, found = index.search(_array(queries.vectors), min(count + own, len(keys.vectors)))
    result = torch.from_numpy(found).long()
    if queries.owner is not None and keys.owner is not None:
        result[keys.owner[result.clamp_min(0)] == queries.owner[:, None]] = -1
        # What is left, in the order of nearness, moves to the front.
        result = result.gather(1, (result < 0).to(torch.int8).sort(dim=1, stable=True).indices)
    return result[:, :count]


def _index(faiss: Any, keys: np.ndarray[Any, Any], measure: Measure, *, approximate: bool) -> Any:
    size, dimensions = keys.shape
    flat = faiss.IndexFlatIP(dimensions) if measure == "cosine" else faiss.IndexFlatL2(dimensions)
    if not approximate or size < _FEWEST_FOR_LISTS:
        flat.add(keys)
        return flat
    lists = round(4 * math.sqrt(size))
    kind = faiss.METRIC_INNER_PRODUCT if measure == "cosine" else faiss.METRIC_L2
    index = faiss.IndexIVFFlat(flat, dimensions, lists, kind)
    index.train(keys)
    index.add(keys)
    index.nprobe = math.ceil(lists * _VISITED)
    return index


def _array(vectors: Tensor) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(vectors.numpy(), dtype=np.float32)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise GenaudioError(
            "search by faiss, which is not installed",
            expected="the package faiss-cpu",
            mend="pip install 'genaudio[faiss]', or search with the backend exact",
        ) from error
    return faiss
