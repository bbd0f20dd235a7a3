"""What makes a classifier of clips robust: noise at random levels and colours, and small shifts in time.

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


def shift(waveform: Tensor, generator: torch.Generator, *, share: float = 0.1) -> Tensor:
    """The waveforms moved earlier or later by up to `share` of their length, one shift an item; silence comes in."""
    batch, _, length = waveform.shape
    most = int(length * share)
    offsets = torch.randint(-most, most + 1, (batch, 1, 1), generator=generator)
    source = torch.arange(length) - offsets
    moved = waveform.gather(-1, source.clamp(0, length - 1).expand_as(waveform))
    return moved * ((source >= 0) & (source < length))


def _rms(waveform: Tensor) -> Tensor:
    return waveform.square().mean((-2, -1), keepdim=True).sqrt()
