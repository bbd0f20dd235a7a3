"""The whitened patches of all training clips, and the exact search in them.

Shapes: queries (patches, components); nearest (patches, clips), the largest cosine with any patch of each clip.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.audit.sound import Sound

_CHUNK = 8  # rows whose largest cosine is taken at once; a clip begins with a chunk
_STRIDE = 2  # every second patch is searched: neighbours overlap by nine tenths


class PatchLibrary:
    """Patches in half precision, 2 bytes a component, and levels, 1 byte a band.

    A clip of 5 s takes 93 kB with 96 components, 40 bands and a hop of 12.5 ms. Levels lie on the CPU.

    They stand on shelves of `shelf_rows` patches, so that adding clips never copies what is there, and that the search
    multiplies one shelf at a time: its working memory does not grow with the library but for its result. The search is
    exact; shelves change nothing but the rounding of float32.
    """

    def __init__(self, components: int, device: torch.device, *, shelf_rows: int = 65536) -> None:
        self._components, self._device, self._shelf_rows = components, device, shelf_rows
        self._shelves: list[Tensor] = []
        self._clips_of_chunks: list[Tensor] = []
        self._used = 0  # rows of the last shelf
        self._places: list[tuple[int, int]] = []  # shelf and first row of a clip
        self._about: list[tuple[Tensor, Tensor, Tensor, float]] = []

    def __len__(self) -> int:
        return len(self._places)

    @property
    def bytes(self) -> int:
        """Memory that patches and levels take."""
        patches = sum(shelf.numel() * shelf.element_size() for shelf in self._shelves)
        return patches + sum(levels.numel() for _, _, levels, _ in self._about)

    @property
    def searched_at_once(self) -> int:
        """Patches that a query is multiplied with at a time."""
        return max((len(shelf) for shelf in self._shelves), default=0) // _STRIDE

    def add(self, sound: Sound) -> None:
        """One more clip."""
        step = _CHUNK * _STRIDE
        rows = -(-len(sound.patches) // step) * step
        if not self._shelves or self._used + rows > len(self._shelves[-1]):
            size = max(self._shelf_rows // step * step, rows)
            self._shelves.append(torch.zeros(size, self._components, dtype=torch.float16, device=self._device))
            self._clips_of_chunks.append(torch.zeros(size // step, dtype=torch.long, device=self._device))
            self._used = 0
        self._shelves[-1][self._used : self._used + len(sound.patches)] = sound.patches.to(self._device)
        self._clips_of_chunks[-1][self._used // step : (self._used + rows) // step] = len(self)
        self._places.append((len(self._shelves) - 1, self._used))
        self._about.append((sound.frame_loudness, sound.patch_loudness, sound.levels, sound.duration))
        self._used += rows

    def sound(self, number: int) -> Sound:
        """The clip of this number, on the CPU, as it was added but for rounding to half precision."""
        shelf, start = self._places[number]
        frame_loudness, patch_loudness, levels, duration = self._about[number]
        rows = self._shelves[shelf][start : start + len(patch_loudness)]
        return Sound(rows.float().cpu(), frame_loudness, patch_loudness, levels, duration)

    def nearest(self, queries: Tensor) -> Tensor:
        """`(patches, clips)`, on the CPU: how near each query comes to each clip, never below 0."""
        queries = queries.to(self._device)
        result = torch.zeros(len(queries), len(self), device=self._device)
        if not len(queries):
            return result.cpu()
        for number, (shelf, clips) in enumerate(zip(self._shelves, self._clips_of_chunks, strict=True)):
            rows = self._used if number == len(self._shelves) - 1 else len(shelf)
            cosine = queries @ shelf[:rows:_STRIDE].float().T
            largest = cosine.reshape(len(queries), -1, _CHUNK).amax(2)
            result.scatter_reduce_(1, clips[: largest.shape[1]].expand(len(queries), -1), largest, "amax")
        return result.cpu()
