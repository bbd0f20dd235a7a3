"""Noise in waveforms, of random or given levels and colours: what a classifier is judged under.

Shapes: waveform (batch, channels, time). Every draw comes from the generator that is passed in.
"""

from __future__ import annotations

import torch
from torch import Tensor


def add_noise(
    waveform: Tensor,
    generator: torch.Generator,
    *,
    lowest_snr: float = 5.0,
    highest_snr: float = 60.0,
    reddest: float = 2.0,
) -> Tensor:
    """The waveforms with Gaussian noise, one signal-to-noise ratio (dB, uniform) and one colour an item.

    Power falls with frequency as f^-a, a uniform in [0, `reddest`]: from white to brown. The ratio is of the energies
    of the whole clip; a silent clip stays silent.
    """
    batch, _, length = waveform.shape
    white = torch.randn(waveform.shape, generator=generator, dtype=waveform.dtype)
    colour = reddest * torch.rand(batch, 1, 1, generator=generator)
    snr = lowest_snr + (highest_snr - lowest_snr) * torch.rand(batch, 1, 1, generator=generator)
    bins = torch.arange(length // 2 + 1).clamp_min(1).to(waveform.dtype)
    noise = torch.fft.irfft(torch.fft.rfft(white) * bins ** (-colour / 2), n=length)
    wanted = _rms(waveform) * 10 ** (-snr / 20)
    noisy: Tensor = waveform + noise * (wanted / _rms(noise).clamp_min(1e-12))
    return noisy


def _rms(waveform: Tensor) -> Tensor:
    return waveform.square().mean((-2, -1), keepdim=True).sqrt()
