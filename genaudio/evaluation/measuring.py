"""From waveforms to the value of a metric, with a card that says how it was computed.

Shapes: waveform (clips, channels, time); features (clips, dimensions), float64.
"""

from __future__ import annotations

from dataclasses import replace

import soxr
import torch
from torch import Tensor

from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.metrics.base import Measurement, Metric

_BATCH = 64


def embed(embedding: Embedding, waveform: Tensor, sample_rate: int) -> Tensor:
    """Each clip's features, the mean over its frames: `(clips, dimensions)`; resampled to the embedding's rate."""
    audio = resampled(waveform, sample_rate, embedding.sample_rate)
    parts = [embedding.features(audio[start : start + _BATCH]) for start in range(0, len(audio), _BATCH)]
    return torch.cat([part.mean(1) for part in parts])


def measure(
    metric: Metric, embedding: Embedding, name: str, generated: Tensor, reference: Tensor, sample_rate: int
) -> Measurement:
    """The metric of two feature matrices that `embed` gave for clips at `sample_rate`, its card completed."""
    measurement = metric.measure(generated, reference)
    facts = {
        "embedding": name,
        "embedding_fields": embedding.model_dump(mode="json"),
        "weights_sha256": embedding.weights_sha256,
        "sample_rate": sample_rate,
        "embedding_sample_rate": embedding.sample_rate,
    }
    return replace(measurement, card={**facts, **measurement.card})


def resampled(waveform: Tensor, sample_rate: int, wanted: int) -> Tensor:
    """The clips at the rate `wanted` (Hz): soxr's HQ, as datasets are read with; the same tensor if it is theirs."""
    if sample_rate == wanted:
        return waveform
    clips, channels, _ = waveform.shape
    flat = waveform.reshape(clips * channels, -1).T.contiguous().cpu().numpy()
    result = torch.from_numpy(soxr.resample(flat, sample_rate, wanted, quality="HQ").T.copy())
    return result.reshape(clips, channels, -1)
