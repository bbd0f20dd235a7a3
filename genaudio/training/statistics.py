"""What is measured on the training set before training."""

from __future__ import annotations

import math

import torch

from genaudio.core.errors import DataError
from genaudio.datasets.base import Clips
from genaudio.representations.base import Representation
from genaudio.training.batches import Batches

CLIPS_MEASURED = 512


@torch.no_grad()
def measure_sigma_data(clips: Clips, representation: Representation, seed: int) -> float:
    """Standard deviation of the encoded training clips, over at most 512 of them, accumulated in float64."""
    count = CLIPS_MEASURED if clips.size is None else min(clips.size, CLIPS_MEASURED)
    batches = Batches(clips, 1, seed)
    total, square, elements = 0.0, 0.0, 0
    for k in range(count):
        x = representation.encode(batches[k].waveform).double()
        total += float(x.sum())
        square += float(x.square().sum())
        elements += x.numel()
    mean = total / elements
    deviation = math.sqrt(max(square / elements - mean**2, 0.0))
    if not deviation > 0:
        raise DataError(
            f"the {count} training clips measured for sigma_data are constant once encoded",
            expected="audible clips",
            mend="check the dataset, or set preconditioner.sigma_data",
        )
    return deviation
