from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genaudio.evaluation.embeddings.windows import window_starts


@pytest.mark.parametrize(
    ("length", "window", "hop", "starts"),
    [
        (40, 10, 5, (0, 5, 10, 15, 20, 25, 30)),
        (42, 10, 5, (0, 5, 10, 15, 20, 25, 30, 32)),
        (30, 10, 10, (0, 10, 20)),
        (31, 10, 10, (0, 10, 20, 21)),
        (10, 10, 3, (0,)),
        (4, 10, 10, (0,)),
    ],
)
def test_windows_lie_every_hop_and_the_last_ends_with_the_clip(
    length: int, window: int, hop: int, starts: tuple[int, ...]
) -> None:
    assert window_starts(length, window, hop) == starts


@given(length=st.integers(1, 500), window=st.integers(1, 60), data=st.data())
def test_windows_are_whole_and_miss_no_sample(length: int, window: int, data: st.DataObject) -> None:
    hop = data.draw(st.integers(1, window))
    starts = window_starts(length, window, hop)
    heard = {sample for start in starts for sample in range(start, start + window)}
    assert heard >= set(range(length))
    assert starts[-1] + window <= max(length, window)
    assert starts == tuple(min(number * hop, max(0, length - window)) for number in range(len(starts)))
