"""An embedding without weights: how loud each mel band is, and how much it varies.

Shapes: waveform (batch, channels, time); features (batch, 1, 2 * bands).
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.log_mel import LogMel, channel_average


class MelStatistics(Embedding):
    """Mean and standard deviation over time of a log-mel spectrogram, one row a clip: `bands` means, then `bands` more.

    It hears timbre, level and how lively a sound is, and no order of events: enough to tell one sampler of a model from
    another, too little to rank models by. Few dimensions, so that it can do with few clips. Deterministic, in dB.
    """

    rate: int = parameter(16000, ge=1000, le=192000, description="Rate that waveforms must have", unit="Hz")
    bands: int = parameter(32, ge=1, le=256, description="Mel bands from 0 Hz to half of the rate")
    window: float = parameter(0.032, gt=0, description="Length of the Hann window", unit="s")
    hop: float = parameter(0.010, gt=0, description="Time between frames", unit="s")
    floor: float = parameter(
        -80.0, lt=0, description="Level that nothing lies below, so that silence is not told from silence", unit="dB"
    )

    @property
    def sample_rate(self) -> int:
        """`rate`."""
        return self.rate

    @property
    def weights_sha256(self) -> None:
        """None: it has no weights."""
        return None

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 1, 2 * bands)`, float64; the power of channels is averaged."""
        if waveform.ndim != 3:
            raise GenaudioError(f"a waveform {tuple(waveform.shape)}", expected="(batch, channels, time)")
        with torch.no_grad():
            decibel = channel_average(self._log_mel(waveform.to("cpu", torch.float32))).double()
        return torch.cat([decibel.mean(-1), decibel.std(-1, correction=0)], -1).unsqueeze(1)

    @cached_property
    def _log_mel(self) -> LogMel:
        return LogMel(self.rate, bands=self.bands, window=self.window, hop=self.hop, floor_db=self.floor)
