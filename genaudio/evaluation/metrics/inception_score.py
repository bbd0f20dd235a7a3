"""The inception score (Salimans et al. 2016, arXiv 1606.03498).

Shapes: log_probabilities (clips, classes).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.probabilities import class_limits, divergence, exponential, log_mean, log_probabilities
from genaudio.evaluation.metrics.sampled import Sampled, enough_clips


class InceptionScore(Sampled):
    """exp of the mean divergence of each clip's classes from all clips' classes, at least 1.

    High where each clip is of one class for certain and the classes are evenly there. The marginal that a clip is
    compared with is that of the other half of the clips, as SC09 is scored, both halves in turn and the mean over
    `splits` random halvings; or that of all clips. With that of all clips the number of classes is the most it can
    be; with that of the other half there is no upper end, since a clip can be of a class that is rarer there.

    `variant: sashimi` is the figure of SaShiMi's script and of what is scored with it: one halving, of which the first
    half alone counts, and a divergence that is normalised over clips instead of over classes, so that the marginal
    falls out. The same in the mean where each class is equally there, and else not an inception score: it can exceed
    the number of classes.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "log_probabilities"
    needs_reference: ClassVar[bool] = False

    variant: Literal["standard", "sashimi"] = parameter(
        "standard",
        description="As defined, or as the script that SC09 is scored with has it",
        source="github.com/state-spaces/s4, models/sashimi/sc09_classifier/test_speech_commands.py",
    )
    marginal: Literal["other_half", "all"] = parameter(
        "other_half", description="Clips whose mean is the marginal (of `standard`)"
    )
    splits: int = parameter(10, ge=1, description="Random halvings that the value is the mean of (of `standard`)")

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The score, and its interval."""
        found = log_probabilities(generated, "the generated clips")
        clips, classes = found.shape
        enough_clips(generated, "inception_score")
        notes = class_limits(clips, classes)
        if self.variant == "sashimi":
            notes.append("normalised over clips, as SaShiMi's script: right where the classes are equally there")
        return self.bootstrapped(
            lambda drawn: exponential(self._information(found[drawn]), "inception_score"),
            generated,
            None,
            bounds=(1.0, classes if self.variant == "standard" and self.marginal == "all" else math.inf),
            notes=notes,
            variant=self.variant,
            marginal=self.marginal if self.variant == "standard" else "none: it falls out",
            classes=classes,
        )

    def _information(self, found: Tensor) -> float:
        """The logarithm of the score, in nats."""
        if self.variant == "sashimi":
            return _sashimi(found)
        if self.marginal == "all":
            return float(divergence(found, log_mean(found)).mean())
        return self._halves(found)

    def _halves(self, found: Tensor) -> float:
        generator = torch.Generator().manual_seed(self.seed)
        total = 0.0
        for _ in range(self.splits):
            order = torch.randperm(len(found), generator=generator)
            first, second = found[order[: len(found) // 2]], found[order[len(found) // 2 :]]
            divergences = divergence(first, log_mean(second)).sum() + divergence(second, log_mean(first)).sum()
            total += float(divergences) / len(found)
        return total / self.splits


def _sashimi(found: Tensor) -> float:
    """The mean over classes of the divergence of a class's share in each clip of the first half from equal shares."""
    order = np.random.RandomState(0).permutation(len(found))  # the script's own shuffle
    half = found[torch.from_numpy(order[: len(found) // 2])]
    shares = half - half.logsumexp(0)
    return float((shares.exp() * (shares + math.log(len(half)))).sum(0).mean())
