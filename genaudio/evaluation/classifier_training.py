"""Training of the classifier: a short course on noisy, shifted clips, the same from the same seed.

Shapes: waveform (batch, channels, time); labels (batch,).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Clips
from genaudio.evaluation.augmentation import add_noise, shift
from genaudio.evaluation.classifier import Classifier

# Clips of an endless source that are kept and seen again with other noise: synthesis would cost more than learning.
_POOL = 2048


def train_classifier(
    train: Clips,
    *,
    steps: int = 800,
    batch_size: int = 32,
    learning_rate: float = 3e-3,
    noise_augment: bool = True,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """A classifier of the labelled clips of `train`, trained for `steps` batches with AdamW on a one-cycle rate.

    Half of the clips of each batch get noise of 5 to 60 dB SNR, all are shifted by up to a tenth: without noise, a
    classifier that is right on clean clips errs on noisy ones, and generated clips have a background of their own.
    `progress` is called with (steps done, steps in all). Raises `GenaudioError` if clips have no labels or fewer than
    two classes.
    """
    # Weights and dropout draw from the global generator: fork it, so that the caller's state stays as it was.
    cuda = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(derive_seed(seed, "classifier"))
        classifier = Classifier(train.classes, train.sample_rate).to(device)
        optimizer = torch.optim.AdamW(classifier.parameters(), lr=learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2))
        generator = torch.Generator().manual_seed(derive_seed(seed, "classifier", "augmentation"))
        classifier.train()
        for step, (waveform, labels) in enumerate(_batches(train, batch_size, steps, seed), start=1):
            if noise_augment:
                noisy = torch.rand(len(waveform), 1, 1, generator=generator) < 0.5
                waveform = torch.where(noisy, add_noise(waveform, generator), waveform)
            waveform = shift(waveform, generator)
            loss = nn.functional.cross_entropy(classifier(waveform.to(device)), labels.to(device))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step, steps)
    classifier.eval()
    return classifier


def _batches(clips: Clips, batch_size: int, steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` batches; every pass over the clips in a new order, with new crops."""
    source = _stream(clips, seed)
    for _ in range(steps):
        chosen = [next(source) for _ in range(batch_size)]
        yield torch.stack([waveform for waveform, _ in chosen]), torch.tensor([label for _, label in chosen])


def _stream(clips: Clips, seed: int) -> Iterator[tuple[Tensor, int]]:
    size = _POOL if clips.size is None else clips.size
    kept: dict[int, tuple[Tensor, int]] = {}
    generator = torch.Generator().manual_seed(derive_seed(seed, "classifier", "order"))
    for epoch in range(1 << 62):
        for index in torch.randperm(size, generator=generator).tolist():
            item = kept.get(index)
            if item is None:
                item = _labelled(clips, index, derive_seed(seed, "classifier", "crop", epoch))
                if clips.size is None:
                    kept[index] = item
            yield item


def _labelled(clips: Clips, index: int, seed: int) -> tuple[Tensor, int]:
    clip = clips.clip(index, seed)
    if clip.label is None:
        raise GenaudioError(
            f"clip {clip.identity} has no label",
            expected="a class for every clip",
            mend="use a dataset whose folders are classes",
        )
    return clip.waveform, clip.label
