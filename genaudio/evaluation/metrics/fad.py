"""The Fréchet audio distance (Kilgour et al. 2019, arXiv 1812.08466)."""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.evaluation.frechet import checked_features, frechet_distance
from genaudio.evaluation.metrics.base import Measurement, Metric


class FAD(Metric):
    """Fréchet distance between the embeddings of generated and of real clips; 0: alike in mean and covariance.

    The value depends on the embedding and on both counts (with few clips it reads too high), so figures compare only
    where those are equal. Its interval is the bootstrap's: the generated clips are drawn anew with replacement, which
    by itself raises the value, so the quantiles are shifted back by the draws' mean.
    """

    draws: int = parameter(200, ge=0, description="Bootstrap draws for the interval; 0: none")
    coverage: float = parameter(0.95, gt=0, lt=1, description="Share of the draws that the interval holds")
    seed: int = parameter(0, ge=0, description="Seed of the draws")

    def measure(self, generated: Tensor, reference: Tensor) -> Measurement:
        """The distance of two feature matrices `(clips, dimensions)`, and its interval."""
        features = checked_features(generated, "the generated clips' features")
        value = frechet_distance(features, reference)
        generator = torch.Generator().manual_seed(self.seed)
        count = len(features)
        drawn = torch.tensor(
            [
                frechet_distance(features[torch.randint(count, (count,), generator=generator)], reference)
                for _ in range(self.draws)
            ],
            dtype=torch.float64,
        )
        low = high = value
        if self.draws:
            tail = (1 - self.coverage) / 2
            below, above = (float(drawn.quantile(at) - drawn.mean()) for at in (tail, 1 - tail))
            low, high = max(0.0, value + below), value + above
        card = {
            "generated": count,
            "reference": len(reference),
            "dimensions": features.shape[1],
            "interval": "bootstrap over the generated clips, centred" if self.draws else "none",
            "draws": self.draws,
            "coverage": self.coverage,
        }
        return Measurement(value, (low, high), card)
