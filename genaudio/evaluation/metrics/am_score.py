"""The AM score (Zhou et al. 2018, arXiv 1703.02000)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.wording import listed
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.probabilities import class_limits, divergence, entropy, log_mean, log_probabilities
from genaudio.evaluation.metrics.sampled import Sampled, clips_needed, enough_clips


class AMScore(Sampled):
    """KL(classes of the training set || classes of the generated clips) + mean entropy of a generated clip's classes.

    0 is best: each clip of one class for certain, and the classes as often as in the training set, even where that is
    uneven. `standard` counts the training set's labels (and takes the classifier's mean where it has none);
    `sashimi` takes the classifier's mean over the training set always, as SaShiMi's script and AM-GAN's own do.
    """

    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "log_probabilities"

    variant: Literal["standard", "sashimi"] = parameter(
        "standard",
        description="The training set's classes: as labelled, or as the classifier has them in the mean",
        source="`sashimi`: github.com/state-spaces/s4, models/sashimi/sc09_classifier/test_speech_commands.py",
    )

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The score, and its interval."""
        reference = clips_needed(reference, "am_score")
        found = log_probabilities(generated, "the generated clips")
        enough_clips(generated, "am_score")
        real, source = self._marginal(generated, reference)
        notes = class_limits(*found.shape)
        if self.variant == "standard" and source == "predicted":
            notes.append("the reference has no labels: its classes are those that the classifier hears")
        return self.bootstrapped(
            lambda drawn: float(divergence(real, log_mean(found[drawn])) + entropy(found[drawn]).mean()),
            generated,
            reference,
            bounds=(0.0, math.inf),
            notes=notes,
            variant=self.variant,
            reference_classes=source,
            classes=found.shape[1],
            divergence=float(divergence(real, log_mean(found))),
            entropy=float(entropy(found).mean()),
        )

    def _marginal(self, generated: FeatureSet, reference: FeatureSet) -> tuple[Tensor, str]:
        """The logarithms of the reference's classes, and whether they are `labelled` or `predicted`."""
        if self.variant == "sashimi" or None in reference.labels:
            found = log_probabilities(reference, "the reference clips")
            if found.shape[1] != len(generated.classes or found[0]):
                raise GenaudioError("classes of reference and generated clips differ", expected="one classifier")
            return log_mean(found), "predicted"
        unknown = sorted({label for label in reference.labels if label is not None} - set(generated.classes))
        if unknown:
            raise GenaudioError(
                f"reference clips of {listed(unknown)}",
                expected=f"the classes of the classifier: {listed(generated.classes) or 'unknown'}",
                mend="train a classifier on this dataset, or set `variant: sashimi`",
            )
        counts = torch.tensor([reference.labels.count(name) for name in generated.classes], dtype=torch.float64)
        present = counts / counts.sum()
        return present.clamp_min(torch.finfo(torch.float64).tiny).log(), "labelled"
