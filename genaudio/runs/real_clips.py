"""Real audio to hold beside generated clips: some of each class of a dataset.

Shapes: waveform (clips, channels, time), float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError, RunError
from genaudio.core.recipe import load_recipe
from genaudio.datasets.base import Clip, Clips
from genaudio.runs.model import AudioFormat, Model
from genaudio.training.batches import Batches

COUNT = 256


def real_clips(path: Path, model: Model, labels: Sequence[str | None], seed: int) -> Tensor:
    """Up to 256 training clips, as many of each label, of the run directory that the model is from.

    Raises `GenaudioError` if there is no recipe, its dataset cannot be opened, or the clips are not like the model's.
    """
    recipe_path = path / "recipe.yaml"
    if not recipe_path.exists():
        raise RunError(f"{recipe_path} does not exist", expected="a run directory, whose recipe names the dataset")
    clips = load_recipe(recipe_path).dataset.open("train")
    found = AudioFormat(clips.sample_rate, clips.channels, clips.length)
    if found != model.audio:
        raise RunError(f"the dataset has {found}", expected=f"{model.audio}, as the model generates")
    chosen = some_of_each(clips, labels, max(1, COUNT // len(labels)), seed)
    if not chosen:
        raise GenaudioError("no clip of these labels in the training split", expected="some to compare with")
    return torch.stack([clip.waveform for _, clip in chosen])


def some_of_each(clips: Clips, labels: Sequence[str | None], count: int, seed: int) -> list[tuple[str | None, Clip]]:
    """Up to `count` clips of each label, as (label, clip): the first on a seeded walk, so that not all are alike."""
    wanted = dict.fromkeys(labels, count)
    found: list[tuple[str | None, Clip]] = []
    walk = Batches(clips, 1, seed)
    for position in range(clips.size if clips.size is not None else 100 * len(labels) * count):
        if not any(wanted.values()):
            break
        clip = clips.clip(walk.index(position), seed)
        label = clips.classes[clip.label] if clip.label is not None and None not in wanted else None
        if wanted.get(label, 0):
            wanted[label] -= 1
            found.append((label, clip))
    return sorted(found, key=lambda pair: labels.index(pair[0]))
