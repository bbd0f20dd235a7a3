"""Real audio to compare generated clips with: that of the run's own dataset.

Shapes: waveform (clips, channels, time), float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError, RunError
from genaudio.core.recipe import load_recipe
from genaudio.runs.model import AudioFormat, Model
from genaudio.runs.stages import training_clips

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
    chosen = training_clips(clips, list(labels), max(1, COUNT // len(labels)), seed)
    if not chosen:
        raise GenaudioError("no clip of these labels in the training split", expected="some to compare with")
    return torch.stack([clip.waveform for _, clip in chosen])
