"""What a metric's value depends on beside the generated clips: figures compare where these facts are equal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from genaudio.core.files import sha256
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.feature_settings import CHANNELS
from genaudio.evaluation.measuring import embedding_card
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.reference_statistics import identity
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import describe
from genaudio.runs.evaluation.needs import embedding_for
from genaudio.runs.evaluation.recipe import EvaluationParts


def figure_facts(parts: EvaluationParts, metric: Metric) -> dict[str, Any]:
    """The metric with its settings, the embedding with its hash, the reference with its content's, as JSON has them."""
    embedding = embedding_for(metric, parts.embedding)
    card = embedding_card(embedding, registry().name_of("embedding", embedding)) | {"channels": CHANNELS}
    facts = {"metric": describe("metric", metric), "embedding": identity(card)}
    if metric.needs_reference:
        facts["reference"] = _reference(parts)
    plain: dict[str, Any] = json.loads(json.dumps(facts))
    return plain


def _reference(parts: EvaluationParts) -> dict[str, Any]:
    reference = parts.reference
    if not isinstance(reference, ClipSet):
        return {"sha256": sha256(Path(parts.reference_name))}
    digest = hashlib.sha256()
    for clip in reference.clips:
        digest.update(f"{clip.name}\n{clip.label}\n{clip.load().key}\n".encode())
    return {"clips": len(reference.clips), "sha256": digest.hexdigest()}
