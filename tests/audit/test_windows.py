"""What is heard of windows of clips."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.audit.windows import embed_windows
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics


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
