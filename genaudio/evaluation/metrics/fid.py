"""The Fréchet distance in the features of a classifier, beside its training set, as SC09 is scored."""

from __future__ import annotations

import math

from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import distance_from, limits, one_row_a_clip, reference_gaussian
from genaudio.evaluation.metrics.sampled import Sampled, needed


class FID(Sampled):
    """Fréchet distance in the last features of a classifier, one row a clip (Heusel et al. 2017, arXiv 1706.08500).

    On SC09 the features are the input of the classifier's last linear layer and the reference is the training set
    (Kong et al. 2021, arXiv 2009.09761; Goel et al. 2022, arXiv 2202.09729); the figures of other classifiers are not
    comparable with theirs. It is `fad` of another embedding, with the same bias.
    """

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The distance and its interval."""
        generated, reference = one_row_a_clip(generated, needed(reference))
        real = reference_gaussian(reference)
        notes = limits(generated, reference)
        if not generated.classes:
            notes.append("the embedding does not classify: comparable with no published FID")
        return self.bootstrapped(
            lambda drawn: distance_from(real, generated, drawn),
            generated,
            reference,
            bounds=(0.0, math.inf),
            notes=notes,
            dimensions=generated.features.shape[1],
        )
