"""The modified inception score (Gurumurthy et al. 2017, arXiv 1706.02071)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from torch import Tensor

from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.probabilities import class_limits, exponential, log_probabilities
from genaudio.evaluation.metrics.sampled import Sampled, enough_clips


class ModifiedInceptionScore(Sampled):
    """exp of the mean divergence between the classes of two clips drawn at random, a clip with itself included.

    In closed form, exp(mean of sum p log p - mean p . mean log p): scripts that draw 10,000 pairs (SaShiMi's) scatter
    about this value by a few percent. It has no upper bound: the surer the classifier, the higher, without end, so
    that it compares models under one classifier alone. A mean divergence above 709 nats has no exponential in float64,
    and is an error.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "log_probabilities"
    needs_reference: ClassVar[bool] = False

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The score, and its interval."""
        found = log_probabilities(generated, "the generated clips")
        enough_clips(generated, "modified_inception_score")
        return self.bootstrapped(
            lambda drawn: exponential(_mean_divergence(found[drawn]), "modified_inception_score"),
            generated,
            None,
            bounds=(1.0, math.inf),
            notes=class_limits(*found.shape),
            classes=found.shape[1],
        )


def _mean_divergence(found: Tensor) -> float:
    p = found.exp()
    return float((p * found).sum(1).mean() - p.mean(0) @ found.mean(0))
