"""Writes the training items that `anti_memorization` leads away from: clips as the model sees them.

Shapes: waveform (batch, channels, time); items (items, features, freq, time).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genaudio.core.errors import DataError
from genaudio.core.files import check_output
from genaudio.core.progress import Progress
from genaudio.datasets.base import Clips
from genaudio.representations.base import Representation
from genaudio.runs.blocks import describe
from genaudio.samplers.guidance.memory_file import write_items

if TYPE_CHECKING:
    from genaudio.core.recipe import Recipe

_BATCH = 64


@torch.no_grad()
def write_memory(
    path: str | Path,
    clips: Clips,
    representation: Representation,
    *,
    limit: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float16,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the first `limit` clips (all of them by default), encoded, and return the facts about the file.

    Each item gets mean 0 and mean square 1, which is all that a correlation needs; clips that are constant once
    encoded, as silence is, are left out. A clip that the dataset crops is the crop of `seed`. `progress` is called
    with (clips done, clips in all). Raises `DataError` if there is nothing to write.
    """
    count = limit if clips.size is None else min(clips.size if limit is None else limit, clips.size)
    if not count or count < 1:
        raise DataError(
            f"a memory of {'endlessly many' if count is None else count} clips",
            expected="at least one, and a limit where the dataset has no end",
        )
    items = torch.empty((count, *representation.shape(clips.length, clips.channels)), dtype=dtype)
    kept = 0
    for start in range(0, count, _BATCH):
        batch = [clips.clip(index, seed).waveform for index in range(start, min(start + _BATCH, count))]
        x = representation.encode(torch.stack(batch)).flatten(1)
        x = x - x.mean(1, keepdim=True)
        level = x.square().mean(1).sqrt()
        audible = level > 0
        x = (x / level[:, None])[audible]
        items[kept : kept + len(x)] = x.to(dtype).view(-1, *items.shape[1:])
        kept += len(x)
        if progress is not None:
            progress(start + len(batch), count)
    if not kept:
        raise DataError(f"{count} clips that are constant once encoded", expected="audible clips")
    facts = {
        "representation": describe("representation", representation),
        "audio": {"sample_rate": clips.sample_rate, "channels": clips.channels, "length": clips.length},
        "items": kept,
        "clips": count,
        "seed": seed,
    }
    write_items(Path(path), items[:kept], facts)
    return facts


def write_memory_of(
    recipe: Recipe, path: Path, *, limit: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """What `gen write-memory` does: the memory of a recipe's training clips. Raises `GenaudioError`."""
    progress = progress or Progress()
    check_output("--out", path)
    clips = recipe.dataset.open("train")
    if clips.size is None and limit is None:
        raise DataError("a dataset without end", expected="so many of its clips as --limit says", mend="give --limit")
    wanted = limit if clips.size is None else min(clips.size, limit or clips.size)
    progress.start("encode", int(wanted or 0), unit="clips")
    try:
        return write_memory(
            path,
            clips,
            recipe.representation,
            limit=limit,
            seed=recipe.seed,
            progress=lambda done, total: progress.update(done),
        )
    finally:
        progress.finish()
