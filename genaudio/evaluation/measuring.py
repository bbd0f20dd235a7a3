"""From waveforms to the value of a metric, with a card that says how it was computed.

Shapes: waveform (clips, channels, time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.datasets.audio import BadAudioError, convert
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement, Metric

_BATCH = 64


def embed(
    embedding: Embedding, name: str, waveform: Tensor, sample_rate: int, labels: Sequence[str | None] | None = None
) -> FeatureSet:
    """What the embedding of this name hears in clips at `sample_rate` Hz, resampled to its own rate."""
    audio = resampled(waveform, sample_rate, embedding.sample_rate)
    heard = [embedding.listen(batch) for batch in torch.split(audio, _BATCH)]
    log_probabilities = [found for _, found in heard if found is not None]
    return FeatureSet.of(
        torch.cat([features for features, _ in heard]),
        labels=labels,
        log_probabilities=torch.cat(log_probabilities) if log_probabilities else None,
        classes=embedding.classes,
        card=embedding_card(embedding, name) | {"sample_rate": sample_rate},
    )


def embedding_card(embedding: Embedding, name: str) -> dict[str, Any]:
    """What a figure depends on of an embedding: its registered name, fields, hashes of its files, rate, frames."""
    return {
        "embedding": name,
        "embedding_fields": embedding.model_dump(mode="json"),
        "weights_sha256": embedding.weights_sha256,
        "config_sha256": embedding.config_sha256,
        "embedding_sample_rate": embedding.sample_rate,
        "frame_window": embedding.frame_window,
        "frame_hop": embedding.frame_hop,
    }


def with_text(generated: FeatureSet, texts: Sequence[str], embedding: Embedding) -> FeatureSet:
    """The clips beside what the embedding makes of the text of each."""
    different = sorted(set(texts))
    features = embedding.text_features(different)
    return replace(generated, text=features[torch.tensor([different.index(text) for text in texts])])


def measure(
    metric: Metric, generated: FeatureSet, reference: FeatureSet | None, embedding: Embedding | None = None
) -> Measurement:
    """The metric of what an embedding heard, its card completed by the embedding's.

    The `embedding` is needed where the metric compares sound with text that the features do not come with.
    """
    if metric.needs == "text" and generated.text is None and embedding is not None:
        generated = with_text(generated, metric.texts(generated.labels), embedding)
    return _completed(metric.measure(generated, reference), generated.card)


def _completed(measurement: Measurement, facts: Mapping[str, Any]) -> Measurement:
    return replace(
        measurement,
        card={**facts, **measurement.card},
        by_class={label: _completed(one, facts) for label, one in measurement.by_class.items()},
    )


def resampled(waveform: Tensor, sample_rate: int, wanted: int) -> Tensor:
    """The clips at the rate `wanted` (Hz), resampled as datasets are; the same tensor if it is theirs.

    Raises `GenaudioError` for clips that are not finite, or too short.
    """
    if sample_rate == wanted:
        return waveform
    try:
        clips = [convert(clip.numpy(), sample_rate, wanted, len(clip)) for clip in waveform.cpu()]
    except BadAudioError as error:
        raise GenaudioError(f"a clip that cannot be resampled: {error}", expected="finite clips") from error
    return torch.stack([torch.from_numpy(clip) for clip in clips])
