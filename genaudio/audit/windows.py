"""What an embedding hears in clips or in their windows: the rows that are searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from genaudio.core.progress import Progress
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import embedding_card


def embed_windows(
    embedding: Embedding,
    name: str,
    clips: ClipSet,
    seconds: float | None = None,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> FeatureSet:
    """One row for each window of each clip, what the embedding of this name hears in it (frames are averaged).

    Windows are `seconds` long with a hop of half of that; None: one row a clip. With `cache`, the folder of caches,
    every clip is heard once, and whole clips share what metrics keep. Raises `DataError` naming the clips that cannot
    be read, or whose features are not finite.
    """
    heard = clip_features(embedding, name, clips, window=seconds, device=device, cache=cache, progress=progress)
    rows = heard.averaged() if seconds is None else heard
    return replace(rows, card=embedding_card(embedding, name) | {"audit_window": seconds})
