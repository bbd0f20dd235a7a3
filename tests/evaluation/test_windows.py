"""Windows of a clip: where they begin and what they hold."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.windows import windowed


@pytest.mark.parametrize(
    ("seconds", "count"), [(None, 1), (4.0, 1), (3.0, 1), (2.0, 3), (1.0, 7), (5.0, 1)]
)  # of 4 s, as the source counts: (4 - w) // (w / 2) + 1
def test_windows_of_four_seconds(seconds: float | None, count: int) -> None:
    waveform = torch.arange(4000.0)[None]
    windows = windowed(waveform, 1000, seconds)
    length = 4000 if seconds is None else min(round(1000 * seconds), 4000)
    assert windows.shape == (count, 1, length)
    assert windows[:, 0, 0].tolist() == [n * (length // 2) for n in range(count)]
    assert torch.equal(windows[-1, 0].diff(), torch.ones(length - 1))


def test_no_window_ends_beyond_the_clip() -> None:
    for length, starts in ((10, [0, 2, 4, 6]), (11, [0, 2, 4, 6]), (3, [0])):
        assert windowed(torch.arange(float(length))[None], 1, 4.0)[:, 0, 0].tolist() == starts


def test_an_empty_clip_is_an_error() -> None:
    with pytest.raises(GenaudioError, match="windows of 0 samples"):
        windowed(torch.zeros(1, 0), 8000, None)
