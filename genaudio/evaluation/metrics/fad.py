"""The Fréchet audio distance (Kilgour et al. 2019, arXiv 1812.08466)."""

from __future__ import annotations

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.bootstrap import bootstrap_interval
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import checked_features, frechet_distance
from genaudio.evaluation.metrics.base import Measurement, Metric


class FAD(Metric):
    """Fréchet distance between the embeddings of generated and of real clips; 0: alike in mean and covariance.

    The value depends on the embedding and on both counts (with few clips it reads too high), so figures compare only
    where those are equal. Its interval is the bootstrap's over the generated clips.
    """

    draws: int = parameter(200, ge=0, description="Bootstrap draws for the interval; 0: none")
    coverage: float = parameter(0.95, gt=0, lt=1, description="Share of the draws that the interval holds")
    seed: int = parameter(0, ge=0, description="Seed of the draws")

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The distance, and its interval."""
        if reference is None:
            raise GenaudioError("no reference", expected="real clips to compare with")
        checked_features(generated.features, "the generated clips' features")
        value = frechet_distance(generated.features, reference.features)
        low, high = bootstrap_interval(
            lambda drawn: frechet_distance(generated.select(drawn).features, reference.features),
            generated.clips,
            value,
            draws=self.draws,
            coverage=self.coverage,
            seed=self.seed,
        )
        card = {
            "generated": generated.clips,
            "reference": reference.clips,
            "dimensions": generated.features.shape[1],
            "interval": "bootstrap over the generated clips, centred" if self.draws else "none",
            "draws": self.draws,
            "coverage": self.coverage,
        }
        return Measurement(value, (max(0.0, low), high), card)
