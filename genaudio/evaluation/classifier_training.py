"""Training of the classifier: a short course on noisy, shifted, warped clips, the same from the same seed.

Shapes: waveform (batch, channels, time); levels (batch, bands, frames); labels (batch,).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Clips
from genaudio.evaluation.augmentation import NoiseBank, mask, shift, warp
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.log_mel import FLOOR_DB

STEPS = 1200
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
# Clips of an endless source that are kept and seen again with other noise: synthesis would cost more than learning.
_POOL = 2048
_CROPS = 4  # of each clip, by turns: a crop's levels are computed once
_KEPT_BYTES = 1 << 29  # of levels; those of further clips are computed each time
_NOISES = 32
_LONG = 2.0  # s; longer clips get half as many frames, for half of the time


def train_classifier(
    train: Clips,
    *,
    steps: int = STEPS,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    noise_augment: bool = True,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """A classifier of the labelled clips of `train`, trained for `steps` batches with AdamW on a one-cycle rate.

    All clips are shifted by up to a tenth, warped a little in time and pitch, and lack a run of bands and of frames;
    half of each batch gets noise of 5 to 60 dB SNR: without noise, a classifier that is right on clean clips errs on
    noisy ones, and generated clips have a background of their own. `progress` is called with (steps done, steps in
    all); what it raises ends the training. Raises `GenaudioError` if clips have no labels or fewer than two classes.
    """
    # Weights and dropout draw from the global generator: fork it, so that the caller's state stays as it was.
    cuda = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(derive_seed(seed, "classifier"))
        long = train.length > _LONG * train.sample_rate
        classifier = Classifier(train.classes, train.sample_rate, hop=0.020 if long else 0.010).to(device)
        optimizer = torch.optim.AdamW(classifier.parameters(), lr=learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2))
        generator = torch.Generator().manual_seed(derive_seed(seed, "classifier", "augmentation"))
        noises = _noises(classifier, train, generator) if noise_augment else None
        classifier.train()
        for step, (levels, labels) in enumerate(_batches(classifier, train, batch_size, steps, seed), start=1):
            levels = _augmented(levels, noises, generator)
            loss = nn.functional.cross_entropy(classifier(levels.to(device)), labels.to(device))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step, steps)
    classifier.eval()
    return classifier


def _augmented(levels: Tensor, noises: NoiseBank | None, generator: torch.Generator) -> Tensor:
    levels = warp(levels, generator, FLOOR_DB)
    levels = shift(levels, generator, FLOOR_DB)
    if noises is not None:
        noisy = torch.rand(len(levels), 1, 1, generator=generator) < 0.5
        levels = torch.where(noisy, noises.added(levels, generator), levels)
    return mask(levels, generator, FLOOR_DB)


def _noises(classifier: Classifier, clips: Clips, generator: torch.Generator) -> NoiseBank:
    white = torch.randn(_NOISES, 1, clips.length, generator=generator)
    return NoiseBank(_levels(classifier, white), clips.sample_rate)


class _Levels:
    """The levels of clips, computed when a clip is first heard, and kept."""

    def __init__(self, classifier: Classifier, clips: Clips, seed: int) -> None:
        self._classifier, self._clips, self._seed = classifier, clips, seed
        self._kept: dict[tuple[int, int], tuple[Tensor, int]] = {}
        self._room = _KEPT_BYTES

    def batch(self, wanted: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Levels and labels of these (clip, crop)."""
        found = {key: self._kept[key] for key in wanted if key in self._kept}
        fresh = [key for key in dict.fromkeys(wanted) if key not in found]
        if fresh:
            clips = [
                _labelled(self._clips, index, derive_seed(self._seed, "classifier", "crop", crop))
                for index, crop in fresh
            ]
            levels = _levels(self._classifier, torch.stack([waveform for waveform, _ in clips]))
            for key, one, (_, label) in zip(fresh, levels, clips, strict=True):
                found[key] = one, label
                if self._room > 0:
                    self._kept[key] = one.clone(), label
                    self._room -= one.nbytes
        items = [found[key] for key in wanted]
        return torch.stack([one for one, _ in items]), torch.tensor([label for _, label in items])


def _levels(classifier: Classifier, waveform: Tensor) -> Tensor:
    """On the CPU, where the augmentation draws from one generator for every device."""
    with torch.no_grad():
        return classifier.levels(waveform.to(classifier.head.weight.device)).cpu()


def _batches(
    classifier: Classifier, clips: Clips, batch_size: int, steps: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` batches; every pass over the clips in a new order."""
    source, levels = _order(clips, seed), _Levels(classifier, clips, seed)
    for _ in range(steps):
        yield levels.batch([next(source) for _ in range(batch_size)])


def _order(clips: Clips, seed: int) -> Iterator[tuple[int, int]]:
    """(clip, crop) without end."""
    size, crops = (_POOL, 1) if clips.size is None else (clips.size, _CROPS)
    generator = torch.Generator().manual_seed(derive_seed(seed, "classifier", "order"))
    for epoch in itertools.count():
        for index in torch.randperm(size, generator=generator).tolist():
            yield index, epoch % crops


def _labelled(clips: Clips, index: int, seed: int) -> tuple[Tensor, int]:
    clip = clips.clip(index, seed)
    if clip.label is None:
        raise GenaudioError(
            f"clip {clip.identity} has no label",
            expected="a class for every clip",
            mend="use a dataset whose folders are classes",
        )
    return clip.waveform, clip.label
