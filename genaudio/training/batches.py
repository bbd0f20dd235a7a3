"""Training batches in which batch k is a function of (seed, k) alone, so that a resumed run sees what it would have.

Shapes: waveform (batch, channels, time); labels (batch,), int64, -1 for a clip without label.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Clips


@dataclass(frozen=True)
class Batch:
    """The clips of one step and what they came from."""

    waveform: Tensor
    labels: Tensor
    identities: tuple[str, ...]


class Batches:
    """Batch k of a seeded, shuffled walk through a source of clips; every epoch has an order of its own."""

    def __init__(self, clips: Clips, batch_size: int, seed: int) -> None:
        self.clips = clips
        self.batch_size = batch_size
        self.seed = seed
        self._order = lru_cache(maxsize=2)(self._new_order)

    def _new_order(self, epoch: int, size: int) -> list[int]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        order: list[int] = torch.randperm(size, generator=generator).tolist()
        return order

    def index(self, position: int) -> int:
        """The clip at a position of the endless walk."""
        size = self.clips.size
        if size is None:
            return position
        epoch, offset = divmod(position, size)
        return self._order(epoch, size)[offset]

    def __getitem__(self, k: int) -> Batch:
        positions = range(k * self.batch_size, (k + 1) * self.batch_size)
        items = [self.clips.clip(self.index(p), derive_seed(self.seed, "clip", p)) for p in positions]
        return Batch(
            torch.stack([item.waveform for item in items]),
            torch.tensor([-1 if item.label is None else item.label for item in items]),
            tuple(item.identity for item in items),
        )

    def walk(self, start: int, stop: int, workers: int) -> Iterator[Batch]:
        """Batches `start` to `stop - 1` in order, prepared ahead by `workers` threads."""
        if workers == 0:
            yield from (self[k] for k in range(start, stop))
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="genaudio-batches")
        ahead: deque[Future[Batch]] = deque()
        try:
            for k in range(start, stop):
                while len(ahead) < 2 * workers and k + len(ahead) < stop:
                    ahead.append(pool.submit(self.__getitem__, k + len(ahead)))
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
