"""The contract of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet


@dataclass(frozen=True)
class Measurement:
    """A value with its uncertainty and a card of how it was computed; `by_class` holds those of the classes apart."""

    value: float
    interval: tuple[float, float]
    card: Mapping[str, Any] = field(default_factory=dict)
    by_class: Mapping[str, Measurement] = field(default_factory=dict)


class Metric(Component, ABC):
    """A number for a set of generated clips, most often beside a set of real ones.

    `better` says which way is good. `needs` is what it compares: features, class probabilities, or features of sound
    and of text. `needs_reference` says whether there is nothing to measure without real clips.
    """

    better: ClassVar[Literal["lower", "higher"]] = "lower"
    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "features"
    needs_reference: ClassVar[bool] = True

    @property
    def protocol_embedding(self) -> Mapping[str, Any] | None:
        """The embedding that the metric's protocol prescribes, as a recipe writes it; None: as the user chooses."""
        return None

    def texts(self, labels: Sequence[str | None]) -> tuple[str, ...]:
        """The text that a clip of each class is compared with, of a metric that needs text."""
        raise GenaudioError(f"{type(self).__name__} compares no text", expected="a metric of sound and text")

    @abstractmethod
    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The value for what an embedding heard; raises `GenaudioError` for too few clips or features not finite."""
