"""What the Fréchet metrics share: the Gaussian of a set of features, and what its counts allow to conclude.

Shapes: features (rows, dimensions).
"""

from __future__ import annotations

from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Gaussian

ENOUGH = 10  # rows a dimension from which the bias of a Fréchet distance is small beside what it tells apart
GENERATED, REFERENCE = "the generated clips' features", "the reference's features"


def gaussian(features: FeatureSet, name: str) -> Gaussian:
    """The Gaussian of the rows, or of the moments where there is no more."""
    if features.moments is not None and not features.clips:
        return Gaussian.of_moments(features.moments.mean, features.moments.covariance, "the reference's")
    return Gaussian.of(features.features, name)


def reference_gaussian(reference: FeatureSet) -> Gaussian:
    """The reference's Gaussian; raises `GenaudioError` if its clips are all alike, which is no distribution."""
    found = gaussian(reference, REFERENCE)
    if found.spread <= 0:
        raise GenaudioError(
            "reference clips whose features are all equal", expected="clips that differ", mend="look for silent clips"
        )
    return found


def one_row_a_clip(generated: FeatureSet, reference: FeatureSet) -> tuple[FeatureSet, FeatureSet]:
    """Both sets with the mean of each clip's rows; raises `GenaudioError` where the reference's rows are past that."""
    averaged = generated.averaged()
    if reference.moments is not None and not reference.clips and averaged is not generated:
        raise GenaudioError(
            "the moments of all frames as the reference, for a distance of one row a clip",
            expected="the features of its clips",
            mend="name the folder of real clips, or use `fad` of all frames",
        )
    return averaged, reference.averaged()


def distance_from(reference: Gaussian, generated: FeatureSet, drawn: Tensor) -> float:
    """The Fréchet distance of the drawn clips from the reference."""
    return Gaussian.of(generated.select(drawn).features, GENERATED).distance(reference)


def rows(features: FeatureSet) -> int:
    """How many rows there are, or were when the moments were taken."""
    return features.moments.count if features.moments is not None else len(features.features)


def limits(generated: FeatureSet, reference: FeatureSet) -> list[str]:
    """What is to be known of a Fréchet distance of so many rows in so many dimensions."""
    dimensions = generated.features.shape[1]
    notes = []
    for features, name in ((generated, "generated"), (reference, "reference")):
        count = rows(features)
        if count < ENOUGH * dimensions:
            notes.append(
                f"{count} {name} rows of {dimensions} dimensions: fewer than {ENOUGH} a dimension, so that the value "
                "reads too high; compare only values of equal counts"
            )
    return notes + alike(generated)


def alike(generated: FeatureSet) -> list[str]:
    """That the generated clips are all one to the embedding, by their rows or by the mean of each clip's rows."""
    equal = all_equal(generated.features) or all_equal(generated.per_clip)
    return ["the generated clips' features are all equal"] if equal else []


def all_equal(features: Tensor) -> bool:
    """Whether there are several rows and all are the same."""
    return len(features) > 1 and bool((features == features[0]).all())
