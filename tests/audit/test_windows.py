"""Windows: where they begin, what they hold, what is heard of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.audit.windows import embed_windows
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
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


def test_rows_are_windows_of_clips_of_any_length(written: Any) -> None:
    folder = written({"a/1.wav": torch.randn(8000), "a/2.wav": torch.randn(20000), "b/3.wav": torch.randn(2000)})
    heard = embed_windows(MelStatistics(rate=8000), "mel_statistics", ClipSet.of_folder(folder), 1.0)
    assert heard.clip.tolist() == [0, 1, 1, 1, 1, 2]
    assert heard.labels == ("a", "a", "b")
    assert heard.names == ("a/1.wav", "a/2.wav", "b/3.wav")
    assert heard.card["audit_window"] == 1.0
    second = ClipSet.of_folder(folder).clips[1].read(8000)[:, 4000:12000]
    alone = MelStatistics(rate=8000).features(second[None])[0, 0]
    torch.testing.assert_close(heard.features[2], alone)


def test_a_clip_without_finite_features_is_named(written: Any) -> None:
    class Broken(MelStatistics):
        def features(self, waveform: Tensor) -> Tensor:
            return super().features(waveform) / waveform.abs().amax().double()

    folder = written({"loud.wav": torch.randn(8000), "silent.wav": torch.zeros(8000)})
    with pytest.raises(GenaudioError, match=r"silent\.wav: its features are not finite"):
        embed_windows(Broken(rate=8000, floor=-300.0), "broken", ClipSet.of_folder(folder))
