"""The embedding of a classifier that was trained on the classes at hand: what its last layer decides on.

Shapes: waveform (batch, channels, time); features (batch, 1, 160); log-probabilities (batch, classes).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.files import expanded
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.inference import exact

_TRAIN = "train it with `gen train-classifier RECIPE --out DIR`"


class ClassifierEmbedding(Embedding):
    """160 features a clip and its class probabilities, from a small classifier of log-mel spectrograms.

    It needs nothing but the dataset: `gen train-classifier` trains it in minutes, so that every recipe can be evaluated
    without a download. It hears no gain, and little beyond what tells its classes apart: values compare models of one
    dataset under one set of weights, and nothing else. `weights: null` stands for a classifier of the recipe's own
    dataset: a run trains it once, and goes on with what `with_weights` gives.
    """

    weights: str | None = parameter(
        None,
        min_length=1,
        description="Folder of `gen train-classifier`, with classifier.safetensors and classifier.json; ~ and "
        "$VARIABLES are expanded. null: to be trained on the recipe's dataset",
    )

    steps: int = parameter(
        1200, ge=1, description="Training steps of the classifier that a run trains where weights is null"
    )
    seed: int = parameter(0, ge=0, description="Seed of that training; not the recipe's, so that runs share it")

    def with_weights(self, folder: Path | str) -> ClassifierEmbedding:
        """The same embedding with the classifier in `folder`; this one stays as it is."""
        return type(self)(**{**self.model_dump(), "weights": str(folder)})  # a copy would keep a classifier in memory

    @property
    def sample_rate(self) -> int:
        """The rate of the clips that the classifier learned from."""
        return self._classifier.sample_rate

    @property
    def weights_sha256(self) -> str:
        """That of `classifier.safetensors`, as it was when it was read."""
        return str(self._classifier.card["sha256"])

    @cached_property
    def config_sha256(self) -> str:
        """SHA-256 of what `classifier.json` says of the network: classes, rate, bands and hop."""
        return self._classifier.config_sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it learned, in the order of `log_probabilities`."""
        return self._classifier.classes

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 1, 160)`, float64; the power of channels is averaged."""
        return self.listen(waveform)[0]

    def log_probabilities(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, classes)`: a float64 log-softmax, finite however sure it is."""
        return self.listen(waveform)[1]

    def listen(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one run of the network."""
        if waveform.ndim != 3:
            raise GenaudioError(f"a waveform {tuple(waveform.shape)}", expected="(batch, channels, time)")
        with exact(waveform.device):
            features, log_probabilities = self._classifier.to(waveform.device).listen(waveform.float())
        return features.unsqueeze(1), log_probabilities

    @cached_property
    def _classifier(self) -> Classifier:
        if self.weights is None:
            raise GenaudioError(
                "the embedding `classifier` without weights", expected="the folder of a trained classifier", mend=_TRAIN
            )
        folder = expanded(self.weights)
        if not (folder / "classifier.json").is_file():
            what = "holds no classifier" if folder.is_dir() else f"is {'a file' if folder.exists() else 'not there'}"
            raise GenaudioError(
                f"the classifier's folder {self.weights!r} {what}",
                expected="classifier.safetensors and classifier.json",
                mend=_TRAIN,
            )
        return Classifier.load(folder)
