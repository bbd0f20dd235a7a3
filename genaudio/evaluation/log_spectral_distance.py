"""How far apart the spectra of two clips are, moment by moment, in dB.

Shapes: waveform (batch, channels, time).
"""

from __future__ import annotations

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.log_mel import LogMel

BANDS = 64
FLOOR_DB = -80.0  # below it nothing is told apart, so that inaudible remains do not count


def log_spectral_distance(first: Tensor, second: Tensor, sample_rate: int) -> Tensor:
    """Each pair's distance in dB: `(batch,)`, float64.

    The root mean square over 64 mel bands of the difference of levels (never below -80 dB re a full-scale sine), then
    the mean over frames and channels. Gray and Markel (1976) define it over frequency bins; mel bands weigh what is
    heard.
    """
    if first.shape != second.shape:
        raise GenaudioError(f"waveforms of {tuple(first.shape)} and {tuple(second.shape)}", expected="equal shapes")
    transform = LogMel(sample_rate, bands=BANDS, floor_db=FLOOR_DB)
    with torch.no_grad():
        difference = transform(first.float().cpu()).double() - transform(second.float().cpu()).double()
    distance: Tensor = difference.square().mean(-2).sqrt().mean((-2, -1))
    return distance
