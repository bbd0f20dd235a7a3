"""A small classifier of clips: what tells whether a generated clip sounds like the class it was asked for.

Shapes: waveform (batch, channels, time); levels (batch, bands, frames); features (batch, 160); probabilities
(batch, classes).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Clips
from genaudio.evaluation.agreement import Agreement
from genaudio.evaluation.carded_network import load_network, save_network
from genaudio.evaluation.log_mel import LogMel, channel_average
from genaudio.evaluation.noise import add_noise

FORMAT = 2
_NAME = "classifier"  # of its files
_WIDTHS = (24, 32, 48, 64, 80)
FEATURES = 2 * _WIDTHS[-1]  # mean and maximum of the last layer's
_RANGE_DB = 80.0
_BATCH = 64


class Classifier(nn.Module):
    """A convolutional network of about 100,000 parameters on log-mel spectrograms.

    What it hears is each clip relative to its own loudest cell, 80 dB deep: gain changes nothing. Five convolutions,
    three of them with stride 2, then mean and maximum over the plane give 160 features; one linear layer gives classes.
    `card` is what `load` read beside the weights: their SHA-256, and facts of the training.
    """

    card: Mapping[str, Any] = {}

    def __init__(self, classes: tuple[str, ...], sample_rate: int, *, bands: int = 64, hop: float = 0.010) -> None:
        super().__init__()
        if len(classes) < 2:
            raise GenaudioError(
                f"a classifier of {len(classes)} class{'es' if not classes else ''}",
                expected="at least two classes",
                mend="use a dataset with labelled clips",
            )
        self.classes = classes
        self.sample_rate = sample_rate
        self.bands = bands
        self.hop = hop
        self.log_mel = LogMel(sample_rate, bands=bands, hop=hop)
        layers: list[nn.Module] = []
        for number, (before, width) in enumerate(zip((1, *_WIDTHS[:-1]), _WIDTHS, strict=True)):
            size, stride = (5, 2) if number == 0 else (3, 2 if number in (1, 3) else 1)
            layers += [
                nn.Conv2d(before, width, size, stride, size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        # Channels last: the convolutions take two thirds of the time on a CPU.
        self.trunk = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(FEATURES, len(classes))

    def levels(self, waveform: Tensor) -> Tensor:
        """The log-mel spectrogram that the network sees, in dB: `(batch, bands, frames)`."""
        return channel_average(self.log_mel(waveform))

    def features_of_levels(self, levels: Tensor) -> Tensor:
        """`(batch, 160)` of what `levels` gives."""
        relative = (levels - levels.amax((-2, -1), keepdim=True)).clamp_min(-_RANGE_DB)
        plane = (relative / (_RANGE_DB / 2) + 1).unsqueeze(1)
        maps = self.trunk(plane.contiguous(memory_format=torch.channels_last))
        return torch.cat((maps.mean((-2, -1)), maps.amax((-2, -1))), -1)

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, 160)`: what the last layer decides on, an embedding of each clip."""
        return self.features_of_levels(self.levels(waveform))

    def forward(self, levels: Tensor) -> Tensor:
        """Logits, `(batch, classes)`, of what `levels` gives."""
        logits: Tensor = self.head(self.dropout(self.features_of_levels(levels)))
        return logits

    @torch.no_grad()
    def listen(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(batch, 160)` and log-probabilities `(batch, classes)` in one pass, float64 on the CPU.

        Even those of a saturated classifier are finite.
        """
        self.eval()
        device = self.head.weight.device
        features = [torch.empty(0, self.head.in_features, dtype=torch.float64)]
        logits = [torch.empty(0, len(self.classes), dtype=torch.float64)]
        for start in range(0, len(waveform), _BATCH):
            found = self.features(waveform[start : start + _BATCH].to(device))
            features.append(found.double().cpu())
            logits.append(self.head(found).double().cpu())
        return torch.cat(features), torch.cat(logits).log_softmax(-1)

    def log_probabilities(self, waveform: Tensor) -> Tensor:
        """`(batch, classes)`, float64 on the CPU."""
        return self.listen(waveform)[1]

    def predict(self, waveform: Tensor) -> Tensor:
        """Probabilities of the classes, `(batch, classes)`, float64."""
        return self.log_probabilities(waveform).exp()

    def save(self, folder: Path, **facts: Any) -> None:
        """Write `classifier.safetensors` and its card `classifier.json`; `facts` go into the card."""
        parameters = sum(value.numel() for value in self.parameters())
        save_network(self, folder, _NAME, FORMAT, {**self._config, "parameters": parameters, "facts": facts})

    @property
    def config_sha256(self) -> str:
        """SHA-256 of what the card says of the network; of its other facts nothing that is heard depends."""
        return hashlib.sha256(json.dumps(self._config, sort_keys=True).encode()).hexdigest()

    @property
    def _config(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "sample_rate": self.sample_rate,
            "bands": self.bands,
            "hop": self.hop,
        }

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """The classifier that `save` wrote; raises `GenaudioError` where the files do not belong together."""

        def build(card: Mapping[str, Any]) -> Classifier:
            return cls(tuple(card["classes"]), card["sample_rate"], bands=card["bands"], hop=card["hop"])

        classifier, card = load_network(build, folder, _NAME, FORMAT, "train it with `gen train-classifier`")
        classifier.card = card
        return classifier


def agreement(
    classifier: Classifier,
    clips: Clips,
    *,
    count: int | None = None,
    seed: int = 0,
    snr: float | None = None,
    leave_out: Collection[str] = (),
) -> Agreement:
    """Predicted against true classes of the first `count` clips (all of them by default; 1000 of an endless source).

    `snr` adds white noise of that ratio to the energy of each clip, in dB; `leave_out` names clips that do not count.
    """
    if clips.classes != classifier.classes:
        raise GenaudioError(
            f"clips of the classes {', '.join(clips.classes) or '(none)'}",
            expected=f"those of the classifier: {', '.join(classifier.classes)}",
        )
    if clips.sample_rate != classifier.sample_rate:
        raise GenaudioError(f"clips at {clips.sample_rate} Hz", expected=f"{classifier.sample_rate} Hz, as it learned")
    limit = count if clips.size is None else min(count or clips.size, clips.size)
    wanted: list[int] = []
    predicted: list[int] = []
    generator = torch.Generator().manual_seed(derive_seed(seed, "classifier", "noise"))
    for waveform, labels in _batches(clips, 1000 if limit is None else limit, seed, leave_out):
        wanted += labels
        if snr is not None:
            waveform = add_noise(waveform, generator, lowest_snr=snr, highest_snr=snr, reddest=0.0)
        predicted += classifier.log_probabilities(waveform).argmax(-1).tolist()
    return Agreement.of(classifier.classes, np.array(wanted, np.int64), np.array(predicted, np.int64))


def accuracy(classifier: Classifier, clips: Clips, *, count: int | None = None, seed: int = 0) -> float:
    """Share of clips whose class is predicted; see `agreement` for its interval and the classes apart."""
    return agreement(classifier, clips, count=count, seed=seed).overall.value


def _batches(clips: Clips, count: int, seed: int, leave_out: Collection[str]) -> Iterator[tuple[Tensor, list[int]]]:
    for start in range(0, count, _BATCH):
        chosen = [clips.clip(index, seed) for index in range(start, min(start + _BATCH, count))]
        labelled = [
            (clip.waveform, clip.label) for clip in chosen if clip.label is not None and clip.identity not in leave_out
        ]
        if labelled:
            yield torch.stack([waveform for waveform, _ in labelled]), [label for _, label in labelled]
