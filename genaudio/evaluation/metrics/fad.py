"""The Fréchet audio distance (Kilgour et al. 2019, arXiv 1812.08466)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.wording import listed
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.label_spelling import nothing_in_common
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import distance_from, limits, one_row_a_clip, reference_gaussian
from genaudio.evaluation.metrics.sampled import Part, Sampled, needed

DCASE_CLIPS = 100  # of a class that DCASE 2023 Task 7 asks for
_DCASE_EMBEDDING = {"type": "vggish", "protocol": "dcase2023_task7"}


class FAD(Sampled):
    """Fréchet distance between the embeddings of generated and of real clips; 0: alike in mean and covariance.

    The value depends on the embedding and on both counts (with few clips it reads too high), so figures compare only
    where those are equal. Its interval is the bootstrap's over the generated clips.

    `preset: dcase2023_task7` is the protocol of that challenge as its evaluator has it, faults of its audio included
    (which are the embedding's): one distance a class, and their mean. `by_class` does the same with any embedding.
    """

    preset: Literal["default", "dcase2023_task7"] = parameter(
        "default",
        description="`dcase2023_task7`: the challenge's protocol, with its own embedding, by class",
        source="github.com/DCASE2023-Task7-Foley-Sound-Synthesis/dcase2023_task7_eval_fad",
    )
    frames: Literal["all", "mean"] = parameter(
        "all", description="`all`: every frame is a row, as VGGish's FAD has it; `mean`: the mean of a clip's frames"
    )
    by_class: bool = parameter(False, description="A distance for each class, and their mean as the value")

    @model_validator(mode="after")
    def _preset_holds(self) -> Self:
        if self.preset == "dcase2023_task7" and self.frames != "all":
            raise ValueError("the protocol `dcase2023_task7` takes every frame: leave `frames` at `all`")
        return self

    @property
    def protocol_embedding(self) -> Mapping[str, Any] | None:
        """The challenge's VGGish for its preset, else None."""
        if self.preset == "dcase2023_task7":
            return _DCASE_EMBEDDING
        return None

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The distance and its interval; of the classes too where they are measured apart."""
        reference = needed(reference)
        if self.frames == "mean":
            generated, reference = one_row_a_clip(generated, reference)
        facts = {"protocol": self.preset, "dimensions": generated.features.shape[1], "frames": self.frames}
        bounds = (0.0, math.inf)
        if self.by_class or self.preset == "dcase2023_task7":
            parts = {
                label: self._part(generated.of_class(label), reference.of_class(label))
                for label in common_classes(generated, reference)
            }
            return self.of_classes(parts, generated, reference, bounds=bounds, **facts)
        part = self._part(generated, reference)
        return self.bootstrapped(part.statistic, generated, reference, bounds=bounds, notes=part.notes, **facts)

    def _part(self, generated: FeatureSet, reference: FeatureSet) -> Part:
        real = reference_gaussian(reference)
        notes = limits(generated, reference)
        if self.preset == "dcase2023_task7":
            if generated.clips != DCASE_CLIPS:
                notes.append(f"{generated.clips} generated clips; the protocol has {DCASE_CLIPS} of a class")
            heard_by = {"type": generated.card.get("embedding")} | generated.card.get("embedding_fields", {})
            if any(heard_by.get(name) != wanted for name, wanted in _DCASE_EMBEDDING.items()):
                notes.append("not the embedding of the protocol: comparable with no figure of the challenge")
        return Part(generated, reference, lambda drawn: distance_from(real, generated, drawn), notes)


def common_classes(generated: FeatureSet, reference: FeatureSet) -> tuple[str, ...]:
    """The reference's classes; raises `GenaudioError` where a class or a label is missing."""
    if not reference.found_classes or None in generated.labels:
        raise GenaudioError(
            "clips without a class", expected="a class for each clip", mend="put each class into a folder of its own"
        )
    if strangers := nothing_in_common(generated.found_classes, reference.found_classes, "reference"):
        raise GenaudioError(strangers, expected="the same classes")
    differing = sorted(set(reference.found_classes) ^ set(generated.found_classes))
    if differing:
        raise GenaudioError(
            f"the classes of generated and real clips differ in {listed(differing)}", expected="the same classes"
        )
    return reference.found_classes
