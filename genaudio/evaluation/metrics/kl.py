"""The divergence of a classifier's probabilities from those of real clips.

Shapes: log_probabilities (clips, classes).
"""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.wording import listed
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.label_spelling import nothing_in_common
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.probabilities import class_limits, divergence, log_mean, log_probabilities
from genaudio.evaluation.metrics.sampled import Part, Sampled, clips_needed, enough_clips

_BOUNDS = (0.0, math.inf)


class KL(Sampled):
    """KL(classes of real || classes of generated), in nats; 0: the classifier hears the same.

    `pairing: name` is that of text-to-audio (Kreuk et al. 2022, arXiv 2209.15352; AudioLDM's evaluation): each
    generated clip beside the real one of its name, folder included and ending aside, the mean over pairs. It presumes
    that generated clips were made for the captions, or labels, of those real ones. Without such pairs: `class` compares
    the mean probabilities of each class, the mean over classes; `marginal` those of all clips.

    Probabilities are a softmax over classes, in logarithms, with nothing added to keep them from 0.
    """

    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "log_probabilities"

    pairing: Literal["name", "class", "marginal"] = parameter(
        "name", description="What is compared: clips of one name, the means of each class, or of all clips"
    )

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The divergence, and its interval; with `class` also those of the classes."""
        reference = clips_needed(reference, "kl")
        ours = log_probabilities(generated, "the generated clips")
        enough_clips(generated, "kl")
        real = log_probabilities(reference, "the reference clips")
        if ours.shape[1] != real.shape[1] or generated.classes != reference.classes:
            raise GenaudioError("classes of reference and generated clips differ", expected="one classifier")
        facts: dict[str, Any] = {"pairing": self.pairing, "classes": ours.shape[1]}
        if self.pairing == "class":
            return self.of_classes(_classes(generated, reference), generated, reference, bounds=_BOUNDS, **facts)
        if self.pairing == "marginal":
            part = _marginal(generated, reference)
            return self.bootstrapped(part.statistic, generated, reference, bounds=_BOUNDS, notes=part.notes, **facts)
        each = divergence(real[_partners(generated, reference)], ours)
        return self.bootstrapped(lambda drawn: float(each[drawn].mean()), generated, reference, bounds=_BOUNDS, **facts)


def _marginal(generated: FeatureSet, reference: FeatureSet) -> Part:
    ours = log_probabilities(generated, "the generated clips")
    real = log_mean(log_probabilities(reference, "the reference clips"))
    return Part(
        generated, reference, lambda drawn: float(divergence(real, log_mean(ours[drawn]))), class_limits(*ours.shape)
    )


def _classes(generated: FeatureSet, reference: FeatureSet) -> dict[str, Part]:
    if strangers := nothing_in_common(generated.found_classes, reference.found_classes, "reference"):
        raise GenaudioError(strangers, expected="real clips of each generated class", mend="set `pairing: marginal`")
    missing = sorted(set(generated.found_classes) - set(reference.found_classes))
    if not generated.found_classes or None in generated.labels or missing:
        raise GenaudioError(
            f"no real clips of {listed(missing)}" if missing else "generated clips without a class",
            expected="a class for each generated clip, and real clips of it",
            mend="set `pairing: marginal`",
        )
    return {label: _marginal(generated.of_class(label), reference.of_class(label)) for label in generated.found_classes}


def _partners(generated: FeatureSet, reference: FeatureSet) -> Tensor:
    """The real clip of each generated one's name, `(generated clips,)`; raises `GenaudioError` where there is none."""
    places = {PurePosixPath(name).with_suffix(""): number for number, name in enumerate(reference.names)}
    wanted = [PurePosixPath(name).with_suffix("") for name in generated.names]
    missing = [path for path in wanted if path not in places]
    if missing or len(places) < reference.clips:
        raise GenaudioError(
            f"{len(missing)} of {len(wanted)} generated clips have no real one of their name"
            + (f", such as {missing[0]}" if missing else "; real clips of one name"),
            expected="a pair for each generated clip",
            mend="set `pairing: class` or `pairing: marginal`",
        )
    return torch.tensor([places[path] for path in wanted])
