"""What precision, recall, density and coverage share: their fields, their checks, their card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import checked_features
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.gaussian import GENERATED, REFERENCE, all_equal
from genaudio.evaluation.metrics.sampled import Sampled, clips_needed

_FEW = 500  # clips below which the balls of a set are too wide to say much


class Neighbourhood(Sampled, ABC):
    """A metric of the balls around clips that reach to their k-th nearest neighbour; one row a clip.

    For the interval the balls are held and the generated clips drawn.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    most: ClassVar[float] = 1.0

    k: int = parameter(5, ge=1, description="The nearest neighbour that a ball reaches to")

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The share, and its interval."""
        reference = clips_needed(reference, type(self).__name__.lower())
        ours = checked_features(generated.per_clip, GENERATED)
        real = checked_features(reference.per_clip, REFERENCE)
        notes = []
        for features, name in ((ours, "generated"), (real, "reference")):
            if len(features) < _FEW:
                notes.append(f"{len(features)} {name} clips: with few clips balls are wide; compare equal counts alone")
            if all_equal(features):
                raise GenaudioError(
                    f"{name} clips whose features are all equal", expected="clips that differ", mend="look for silence"
                )
        return self.bootstrapped(
            self.statistic(ours, real),
            generated,
            reference,
            bounds=(0.0, self.most),
            notes=notes,
            dimensions=ours.shape[1],
            k=self.k,
        )

    @abstractmethod
    def statistic(self, generated: Tensor, reference: Tensor) -> Callable[[Tensor], float]:
        """The figure of generated clips by their numbers."""
