"""Training of the projection behind an embedding on triplets: a clip, itself altered, another of its class altered.

Source: EDMSound (arXiv 2311.08667) and its authors' public code: triplet loss on Euclidean distances of vectors of
length 1, margin 0.2; Adam with rate 1e-4 and betas 0.9, 0.99; batches of 256; 200 passes; alterations as in `altered`.
One thing differs: there every pass alters and embeds anew, here a window is embedded in a few altered versions, once.

Shapes: waveform (batch, channels, time); clean (windows, dimensions); other versions (windows, versions, dimensions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from genaudio.audit.projection import Projection
from genaudio.core.errors import GenaudioError
from genaudio.core.seeds import derive_seed
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.measuring import embedding_card
from genaudio.evaluation.windows import windowed

_SNR = (80.0, 100.0)  # dB
_GAIN = (0.25, 1.25)
_SHIFT = 0.2  # s
_HELD_OUT = 0.05


@dataclass(frozen=True)
class Versions:
    """What an embedding hears in the windows of training clips as they are and altered; `clip` and `label` of each."""

    clean: Tensor
    altered: Tensor
    clip: Tensor
    labels: tuple[str | None, ...]
    card: Mapping[str, Any] = field(default_factory=dict)


def altered(waveform: Tensor, sample_rate: int, generator: torch.Generator) -> Tensor:
    """The waveforms with white noise 80 to 100 dB below them, a gain of 0.25 to 1.25, and up to 0.2 s cut off.

    What is cut off is shared at random between start and end, and made up for with silence at the end.
    """
    noise = torch.randn(waveform.shape, generator=generator, dtype=waveform.dtype)
    draws = torch.rand(4, len(waveform), 1, 1, generator=generator, dtype=waveform.dtype)
    snr = _SNR[0] + (_SNR[1] - _SNR[0]) * draws[0]
    level = (waveform.square().mean((1, 2), True) / noise.square().mean((1, 2), True)).sqrt() * 10 ** (-snr / 20)
    louder = (waveform + level * noise) * (_GAIN[0] + (_GAIN[1] - _GAIN[0]) * draws[1])
    length = waveform.shape[-1]
    cut = (draws[2] * min(_SHIFT * sample_rate, length)).long()
    source = torch.arange(length) + (draws[3] * cut).long()
    kept = torch.arange(length) < length - cut
    return louder.gather(-1, source.clamp_max(length - 1).expand_as(louder)) * kept


def versions_of(
    embedding: Embedding,
    name: str,
    clips: ClipSet,
    seconds: float | None = None,
    *,
    versions: int = 8,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Versions:
    """The windows of clips, embedded as they are and in so many altered versions, each a function of seed and clip.

    `progress` is called with (clips done, clips in all).
    """
    clean, changed, counts = [], [], []
    rate = embedding.sample_rate
    for number, clip in enumerate(clips.clips):
        windows = windowed(clip.read(rate), rate, seconds)
        generator = torch.Generator().manual_seed(derive_seed(seed, "triplets", clip.name))
        clean.append(embedding.features(windows.to(device)).mean(1).cpu())
        parts = [altered(windows, rate, generator) for _ in range(versions)]
        changed.append(torch.stack([embedding.features(part.to(device)).mean(1).cpu() for part in parts], 1))
        counts.append(len(windows))
        if progress is not None:
            progress(number + 1, len(clips.clips))
    of_clip = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = tuple(clips.labels[number] for number in of_clip.tolist())
    card = embedding_card(embedding, name) | {"audit_window": seconds, "versions": versions, "versions_seed": seed}
    return Versions(torch.cat(clean).float(), torch.cat(changed).float(), of_clip, labels, card)


def train_projection(
    versions: Versions,
    *,
    passes: int = 200,
    batch_size: int = 256,
    learning_rate: float = 1e-4,
    margin: float = 0.2,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Projection:
    """A projection trained on triplets of 95 of 100 clips, whose card has the figures on the other clips.

    Of every window: itself, one of its altered versions, and an altered window of another clip of its class; where a
    clip has no class, of any other clip without one. Clips alone in their class take no part. The same seed gives the
    same weights. `progress` is called with (passes done, passes in all). Raises `GenaudioError` without any pair.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "triplets", "order"))
    clips = int(versions.clip.max()) + 1 if len(versions.clip) else 0
    shuffled = torch.randperm(clips, generator=generator)
    held_out = torch.zeros(clips, dtype=torch.bool)
    held_out[shuffled[: int(clips * _HELD_OUT)]] = True
    learnt = Partners(versions, ~held_out[versions.clip])
    tested = Partners(versions, held_out[versions.clip])
    if not len(learnt.windows):
        raise GenaudioError(f"{clips} clips, of which no two share a class", expected="two clips of a class at least")
    cuda = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):  # weights and dropout draw from the global generator
        torch.manual_seed(derive_seed(seed, "triplets"))
        projection = Projection(versions.clean.shape[1]).to(device).train()
        optimizer = torch.optim.Adam(projection.parameters(), lr=learning_rate, betas=(0.9, 0.99))
        for one in range(passes):
            order = learnt.windows[torch.randperm(len(learnt.windows), generator=generator)]
            for start in range(0, len(order), batch_size):
                triplet = learnt.triplets(order[start : start + batch_size], generator)
                anchor, positive, negative = (projection(part.to(device)) for part in triplet)
                loss = nn.functional.triplet_margin_loss(anchor, positive, negative, margin=margin)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()
            if progress is not None:
                progress(one + 1, passes)
    projection.eval().to("cpu")
    settings = {"passes": passes, "batch_size": batch_size, "learning_rate": learning_rate, "margin": margin}
    figures = _figures(projection, tested, margin, torch.Generator().manual_seed(derive_seed(seed, "triplets", "test")))
    projection.facts = dict(versions.card) | settings | {"seed": seed, "clips": clips, "held_out": figures}
    return projection


class Partners:
    """The windows that may be anchors, and for each the windows of other clips of its class."""

    def __init__(self, versions: Versions, chosen: Tensor) -> None:
        self.versions = versions
        members: dict[str | None, list[int]] = {}
        for window in chosen.nonzero()[:, 0].tolist():
            members.setdefault(versions.labels[window], []).append(window)
        self.classes = {label: torch.tensor(windows) for label, windows in members.items()}
        several = {label: len(set(versions.clip[windows].tolist())) > 1 for label, windows in self.classes.items()}
        kept = [windows for label, windows in self.classes.items() if several[label]]
        self.windows = torch.cat(kept).sort().values if kept else torch.empty(0, dtype=torch.long)

    def triplets(self, anchors: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Anchor, positive and negative of each window."""
        others = torch.tensor([self._other(window, generator) for window in anchors.tolist()])
        count = self.versions.altered.shape[1]
        first, second = torch.randint(count, (2, len(anchors)), generator=generator)
        return (
            self.versions.clean[anchors],
            self.versions.altered[anchors, first],
            self.versions.altered[others, second],
        )

    def _other(self, window: int, generator: torch.Generator) -> int:
        clip, windows = self.versions.clip, self.classes[self.versions.labels[window]]
        while True:
            found = int(windows[int(torch.randint(len(windows), (), generator=generator))])
            if clip[found] != clip[window]:
                return found


@torch.inference_mode()
def _figures(
    projection: Projection, tested: Partners, margin: float, generator: torch.Generator
) -> dict[str, float | int] | None:
    """Loss, and the share of triplets whose positive is nearer; None where no held-out clip has a partner."""
    if not len(tested.windows):
        return None
    anchor, positive, negative = (projection(part) for part in tested.triplets(tested.windows, generator))
    loss = nn.functional.triplet_margin_loss(anchor, positive, negative, margin=margin)
    nearer = (anchor * positive).sum(1) > (anchor * negative).sum(1)
    return {"windows": len(tested.windows), "loss": float(loss), "nearer": float(nearer.double().mean())}
