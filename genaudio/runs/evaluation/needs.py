"""What a metric needs of an embedding, and whether an embedding has it."""

from __future__ import annotations

from typing import cast

from genaudio.core.errors import Problem
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.classifier import ClassifierEmbedding
from genaudio.evaluation.metrics.base import Metric
from genaudio.plugins.manager import registry
from genaudio.runs.blocks import build_block


def embedding_for(metric: Metric, embedding: Embedding) -> Embedding:
    """What the metric hears with: what its protocol prescribes, else `embedding`."""
    prescribed = metric.protocol_embedding
    return embedding if prescribed is None else cast(Embedding, build_block("embedding", prescribed))


def is_untrained(embedding: Embedding) -> bool:
    """Whether it is a classifier that the run has yet to train."""
    return isinstance(embedding, ClassifierEmbedding) and embedding.weights is None


def lack(metric: Metric, embedding: Embedding) -> Problem | None:
    """What the embedding lacks for the metric."""
    name = registry().name_of("embedding", embedding)
    if metric.needs == "log_probabilities" and not (is_untrained(embedding) or embedding.classes):
        mend = "use the embedding classifier (see gen train-classifier) or panns"
        return Problem(f"the embedding {name} tells no classes apart", "one that classifies", mend)
    if metric.needs == "text" and type(embedding).text_features is Embedding.text_features:
        return Problem(f"the embedding {name} reads no text", "one of sound and text", "use the embedding clap")
    return None
