"""PANNs: one row of 2,048 numbers a clip, and how likely each of AudioSet's 527 classes is.

Shapes: waveform (batch, channels, time); features (batch, 1, 2048); log-probabilities (batch, 527).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.files import expanded, sha256
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.inference import exact, mono
from genaudio.evaluation.embeddings.networks.front_ends import PANNsLogMel
from genaudio.evaluation.embeddings.networks.panns import CLASSES, CNN14, Tagger, WavegramLogmelCNN14
from genaudio.evaluation.embeddings.weights.published import PublishedWeights, fill, read_weights, weights_file

_BATCH = 8


@dataclass(frozen=True)
class Variant:
    """One released network: its front end, its class, and where its weights are."""

    rate: int
    n_fft: int
    hop_length: int
    highest: float
    network: type[CNN14] | type[WavegramLogmelCNN14]
    file: str

    @property
    def published(self) -> PublishedWeights:
        """The authors' record of weights."""
        return PublishedWeights(f"https://zenodo.org/record/3987831/files/{self.file}")

    @property
    def shortest(self) -> int:
        """The fewest samples that a clip may have."""
        return self.network.shortest(self.hop_length)


VARIANTS = {
    "cnn14_16k": Variant(16000, 512, 160, 8000.0, CNN14, "Cnn14_16k_mAP%3D0.438.pth"),
    "cnn14_32k": Variant(32000, 1024, 320, 14000.0, CNN14, "Cnn14_mAP%3D0.431.pth"),
    "wavegram_logmel_cnn14": Variant(
        32000, 1024, 320, 14000.0, WavegramLogmelCNN14, "Wavegram_Logmel_Cnn14_mAP%3D0.439.pth"
    ),
}


class PANNs(Embedding):
    """A network of Kong et al. 2020 that was trained to name AudioSet's 527 classes in clips of 10 s.

    A clip, whatever its length, gives one row: nothing is padded or cut, and below about 0.32 s it is refused. Features
    follow the last ReLU: none is negative. AudioSet's classes are no alternatives (speech and music may both
    be there), yet inception scores and divergences need a distribution over classes: `probabilities` says which one.
    """

    variant: Literal["cnn14_16k", "cnn14_32k", "wavegram_logmel_cnn14"] = parameter(
        "cnn14_32k",
        description="Network, and the rate that it hears at (Wavegram-Logmel-CNN14, WGLM: 32 kHz)",
        source="Kong et al. 2020, arXiv 1912.10211",
    )
    weights: str | None = parameter(
        None,
        description="Path of a weights file (.pth of the authors or .safetensors); none: downloaded",
        min_length=1,
        source="Zenodo record 3987831",
    )
    labels: str | None = parameter(
        None,
        description="Path of AudioSet's class_labels_indices.csv, for names of classes; none: their numbers",
        min_length=1,
    )
    probabilities: Literal["softmax", "sigmoid"] = parameter(
        "softmax",
        description="Distribution over classes: softmax of the logits, or their sigmoids divided by the sum of these",
    )

    @property
    def sample_rate(self) -> int:
        """16,000 or 32,000 Hz, as the variant was trained."""
        return VARIANTS[self.variant].rate

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file."""
        return self._sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """AudioSet's names of classes from the file `labels`, or the numbers `0` to `526`."""
        return self._classes

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 1, 2048)`; raises `GenaudioError` for clips that are too short."""
        return self._heard(waveform)[0].unsqueeze(1)

    def log_probabilities(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 527)`; each row's probabilities add up to 1."""
        return self.listen(waveform)[1]

    def listen(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one run of the network."""
        features, logits = self._heard(waveform)
        if self.probabilities == "softmax":
            return features.unsqueeze(1), logits.log_softmax(-1)
        sigmoids = torch.nn.functional.logsigmoid(logits)
        return features.unsqueeze(1), sigmoids - sigmoids.logsumexp(-1, keepdim=True)

    def _heard(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        audio = mono(waveform, shortest=VARIANTS[self.variant].shortest, rate=self.sample_rate)
        with exact(audio.device):
            front, network = self._front.to(audio.device), self._network.to(audio.device)
            parts = [network(front(part), part) for part in torch.split(audio, _BATCH)]
            features, logits = (torch.cat(found).double().cpu() for found in zip(*parts, strict=True))
        return features, logits

    @cached_property
    def _sha256(self) -> str:
        return sha256(weights_file(self.weights, VARIANTS[self.variant].published))

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        if self.labels is None:
            return tuple(str(number) for number in range(CLASSES))
        return read_labels(expanded(self.labels))

    @cached_property
    def _front(self) -> PANNsLogMel:
        variant = VARIANTS[self.variant]
        return PANNsLogMel(variant.rate, variant.n_fft, variant.hop_length, variant.highest)

    @cached_property
    def _network(self) -> Tagger:
        path = weights_file(self.weights, VARIANTS[self.variant].published)
        with torch.device("meta"):
            network = VARIANTS[self.variant].network()
        fill(network, self._front.without_mine(read_weights(path), str(path)), str(path))
        return network


def read_labels(path: Path) -> tuple[str, ...]:
    """The names of AudioSet's classes, by number, from a table with the columns `index` and `display_name`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            names = {int(row["index"]): row["display_name"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenaudioError(
            f"{path} cannot be read: {error!r}", expected="a table with the columns index and display_name"
        ) from error
    if sorted(names) != list(range(CLASSES)):
        raise GenaudioError(f"{path} names {len(names)} classes", expected=f"the classes 0 to {CLASSES - 1}")
    return tuple(names[number] for number in range(CLASSES))
