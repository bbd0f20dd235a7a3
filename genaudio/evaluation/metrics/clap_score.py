"""How well clips fit their text, in a space of sound and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Measurement
from genaudio.evaluation.metrics.sampled import Part, Sampled, enough_clips

_FEW = 50  # clips below which the interval is wide for most purposes


class CLAPScore(Sampled):
    """The mean cosine between the features of clips and of their text, from -1 to 1 (Huang et al. 2023, 2301.12661).

    A clip's text is its class in `template`, or the caption that the features come with. It depends on the checkpoint
    of the embedding and on the wording; what real clips of the same texts reach is the measure to hold it against.
    Each class has its own value in `by_class`.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    needs: ClassVar[Literal["features", "log_probabilities", "text"]] = "text"
    needs_reference: ClassVar[bool] = False

    template: str = parameter(
        "The sound of {label}", pattern=r"\{label\}", description="The text of a clip; `{label}` stands for its class"
    )

    def texts(self, labels: Sequence[str | None]) -> tuple[str, ...]:
        """The text of each clip; raises `GenaudioError` for a clip without a class."""
        if None in labels:
            raise GenaudioError(
                "generated clips without a class",
                expected="a class, of which the text is made",
                mend="put each class into a folder of its own",
            )
        return tuple(self.template.replace("{label}", str(label).replace("_", " ")) for label in labels)

    def measure(self, generated: FeatureSet, reference: FeatureSet | None) -> Measurement:
        """The score, and its interval."""
        if generated.text is None:
            raise GenaudioError(
                "no features of text", expected="an embedding of sound and text", mend="use the embedding `clap`"
            )
        cosine = _cosine(generated.per_clip, generated.text)
        enough_clips(generated, "clap_score")
        notes = [f"{len(cosine)} clips: read the interval"] if len(cosine) < _FEW else []
        facts = {"template": self.template, "dimensions": generated.features.shape[1]}
        total = self.bootstrapped(
            lambda drawn: float(cosine[drawn].mean()), generated, None, bounds=(-1.0, 1.0), notes=notes, **facts
        )
        parts = {label: _part(generated, cosine, label) for label in generated.found_classes}
        if not parts:
            return total
        by_class = self.of_classes(parts, generated, None, bounds=(-1.0, 1.0), **facts).by_class
        return replace(total, by_class=by_class)


def _part(generated: FeatureSet, cosine: Tensor, label: str) -> Part:
    of_class = cosine[torch.tensor([found == label for found in generated.labels])]
    return Part(generated.of_class(label), None, lambda drawn: float(of_class[drawn].mean()))


def _cosine(sound: Tensor, text: Tensor) -> Tensor:
    """`(clips,)`; raises `GenaudioError` where an angle means nothing."""
    if sound.shape != text.shape:
        raise GenaudioError(f"features of sound {tuple(sound.shape)}, of text {tuple(text.shape)}", expected="as many")
    if not len(sound):
        raise GenaudioError("no clips", expected="at least one")
    for features, name in ((sound, "sound"), (text, "text")):
        lengths = features.double().norm(dim=1)
        bad = int((~lengths.isfinite() | (lengths == 0)).sum())
        if bad:
            raise GenaudioError(
                f"{bad} of {len(features)} features of {name} are 0 or not finite",
                expected="features of a length",
                mend="look for clips that are empty or not finite",
            )
    cosine: Tensor = torch.nn.functional.cosine_similarity(sound.double(), text.double(), dim=1)
    return cosine
