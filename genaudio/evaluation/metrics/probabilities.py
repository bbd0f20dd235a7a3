"""What the metrics of a classifier's probabilities share: checks, and sums in logarithms.

Shapes: log_probabilities (clips, classes), float64.
"""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet

_SUM = 1e-4  # how far the probabilities of a clip may be from 1 in sum


def log_probabilities(features: FeatureSet, name: str) -> Tensor:
    """`(clips, classes)`, each row summing to 1; raises `GenaudioError` (of `name`) for what are none.

    The logarithm is the classifier's own (`log_softmax` in float64): finite however sure it is. That of a probability
    which has been rounded to 0 is not, and is refused.
    """
    found = features.log_probabilities
    if found is None:
        raise GenaudioError(
            f"{name} have no probabilities of classes",
            expected="an embedding that classifies",
            mend="use `classifier` (see `gen train-classifier`) or `panns`",
        )
    if not len(found):
        raise GenaudioError(f"{name} are none", expected="at least one")
    found = found.detach().to("cpu", torch.float64)
    bad = int((~found.isfinite().all(1)).sum())
    if bad:
        raise GenaudioError(
            f"{name}: {bad} of {len(found)} have log-probabilities that are not finite",
            expected="log-softmax in float64",
            mend="look for clips that are empty or not finite",
        )
    sums = found.logsumexp(1)
    if found.shape[1] < 2 or float(sums.abs().max()) > _SUM:
        raise GenaudioError(
            f"{name}: {found.shape[1]} classes whose probabilities sum to {float(sums[sums.abs().argmax()].exp()):.4g}",
            expected="probabilities of two classes or more that sum to 1",
        )
    return found - sums[:, None]


def log_mean(log_probabilities: Tensor) -> Tensor:
    """The logarithm of the mean of probabilities over clips, `(classes,)`; finite however small they are."""
    return log_probabilities.logsumexp(0) - math.log(len(log_probabilities))


def entropy(log_probabilities: Tensor) -> Tensor:
    """In nats, over the last dimension."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Kullback and Leibler's of p from q, in nats, over the last dimension."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def exponential(nats: float, metric: str) -> float:
    """exp of a mean divergence; raises `GenaudioError` (of `metric`) where that is no number that a computer holds."""
    try:
        return math.exp(nats)
    except OverflowError:
        raise GenaudioError(
            f"a mean divergence of {nats:.4g} nats, whose exponential `{metric}` would be",
            expected=f"at most {math.floor(math.log(sys.float_info.max))} nats: the classifier is saturated",
            mend="use `inception_score` with `marginal: all`, which never exceeds the number of classes",
        ) from None


def class_limits(clips: int, classes: int) -> list[str]:
    """What is to be known of probabilities of so few clips."""
    few = 50 * classes  # the marginal's own error is then about (classes - 1) / (2 * clips) = 1% in the logarithm
    if clips < few:
        return [f"{clips} clips of {classes} classes: fewer than 50 a class, so that the value leans on their number"]
    return []
