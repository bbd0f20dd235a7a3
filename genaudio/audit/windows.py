"""What an embedding hears in clips and in their windows: the rows that are searched.

Shapes: waveform (batch, channels, time); features (rows, dimensions), float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import embedding_card

_BATCH = 32


def windowed(waveform: Tensor, sample_rate: int, seconds: float | None) -> Tensor:
    """`(channels, time)` to `(windows, channels, window)`, half overlapping; one window of a clip that is no longer.

    None is the whole clip. What is left at the end beyond the last full window is not heard, as in the source.
    """
    length = waveform.shape[1]
    window = length if seconds is None else min(round(seconds * sample_rate), length)
    if window < 2:
        raise GenaudioError(
            f"windows of {window} samples", expected="at least 2", mend="longer windows, or clips that are not empty"
        )
    return waveform.unfold(1, window, window // 2).movedim(1, 0)


def embed_windows(
    embedding: Embedding,
    name: str,
    clips: ClipSet,
    seconds: float | None = None,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> FeatureSet:
    """One row for each window of each clip, what the embedding of this name hears in it (frames are averaged).

    Windows are `seconds` long with a hop of half of that; None: one row a clip. `progress` is called with (clips done,
    clips in all). Raises `GenaudioError` naming a clip whose features are not finite.
    """
    rows: list[Tensor] = []
    counts: list[int] = []
    for number, clip in enumerate(clips.clips):
        windows = windowed(clip.read(embedding.sample_rate), embedding.sample_rate, seconds)
        batches = [windows[start : start + _BATCH] for start in range(0, len(windows), _BATCH)]
        parts = [embedding.features(batch.to(device)).mean(1) for batch in batches]
        features = torch.cat(parts).double().cpu()
        if not features.isfinite().all():
            raise GenaudioError(
                f"{clip.name}: {name} has no finite features of it",
                expected="a clip that can be embedded",
                mend="is it silent, or too short? Take it out of the set",
            )
        rows.append(features)
        counts.append(len(windows))
        if progress is not None:
            progress(number + 1, len(clips.clips))
    return FeatureSet(
        torch.cat(rows),
        torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        tuple(clip.name for clip in clips.clips),
        clips.labels,
        card=embedding_card(embedding, name) | {"audit_window": seconds},
    )
