"""What makes a classifier robust and able to generalise, done to log-mel levels: a batch costs next to nothing.

Levels are those of `LogMel`, in dB, so that powers add where sounds do. What comes in from outside a clip, and what is
masked, is as quiet as `quietest`, in dB. Shapes: levels (batch, bands, frames). Every draw comes from the generator
that is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genaudio.evaluation.log_mel import hz_to_mel, mel_to_hz

_NEPER = math.log(10) / 10  # a dB, as a natural logarithm of power


@dataclass(frozen=True)
class NoiseBank:
    """Levels of white noise, `(noises, bands, frames)`, that noise of any level and colour is made from.

    Each noise is one of the bank from another frame on. Powers are added, as those of independent sounds add on
    average.
    """

    levels: Tensor
    sample_rate: int

    def added(
        self, levels: Tensor, generator: torch.Generator, *, lowest_snr: float = 5.0, highest_snr: float = 60.0
    ) -> Tensor:
        """The levels with noise of one signal-to-noise ratio (dB, uniform) and one colour an item.

        Power falls with frequency as f^-a, a uniform in [0, 2]: from white to brown. The ratio is of the energies of
        the whole clip.
        """
        batch, bands, frames = levels.shape
        chosen = torch.randint(len(self.levels), (batch,), generator=generator)
        start = torch.randint(frames, (batch, 1, 1), generator=generator)
        colour = 2 * torch.rand(batch, 1, 1, generator=generator)
        snr = lowest_snr + (highest_snr - lowest_snr) * torch.rand(batch, 1, 1, generator=generator)
        turned = (torch.arange(frames) + start) % frames
        top = hz_to_mel(self.sample_rate / 2)
        centres = torch.tensor([mel_to_hz(top * (band + 1) / (bands + 1)) for band in range(bands)])
        noise = self.levels[chosen].gather(-1, turned.expand_as(levels)) - colour * 10 * centres.log10()[:, None]
        return _sum(levels, noise - mean_level(noise) + mean_level(levels) - snr)


def mean_level(levels: Tensor) -> Tensor:
    """The level of a clip's mean power over frames: `(batch, 1, 1)`, in dB."""
    return 10 * torch.pow(10.0, levels / 10).sum(1, keepdim=True).mean(-1, keepdim=True).log10()


def shift(levels: Tensor, generator: torch.Generator, quietest: float, *, share: float = 0.1) -> Tensor:
    """The levels moved earlier or later by up to `share` of their frames, one shift an item."""
    batch, _, frames = levels.shape
    most = int(frames * share)
    offsets = torch.randint(-most, most + 1, (batch, 1, 1), generator=generator)
    source = torch.arange(frames) - offsets
    moved = levels.gather(-1, source.clamp(0, frames - 1).expand_as(levels))
    return moved.where((source >= 0) & (source < frames), quietest)


def warp(
    levels: Tensor, generator: torch.Generator, quietest: float, *, stretch: float = 0.15, bands: float = 2.0
) -> Tensor:
    """The levels slower or faster by up to the share `stretch`, and up to `bands` bands higher or lower.

    Both are uniform and drawn an item; time turns about the middle of the clip.
    """
    batch, rows, columns = levels.shape
    rate = 1 + stretch * (2 * torch.rand(batch, 1, 1, generator=generator) - 1)
    moved = bands * (2 * torch.rand(batch, 1, 1, generator=generator) - 1)
    time = (torch.linspace(-1, 1, columns) * rate).expand(batch, rows, columns)
    pitch = (torch.linspace(-1, 1, rows)[:, None] + moved * 2 / max(rows - 1, 1)).expand(batch, rows, columns)
    raised = (levels - quietest).unsqueeze(1)  # what lies outside is 0
    sampled = nn.functional.grid_sample(raised, torch.stack((time, pitch), -1), align_corners=True)
    return sampled.squeeze(1) + quietest


def mask(levels: Tensor, generator: torch.Generator, quietest: float, *, share: float = 0.15) -> Tensor:
    """The levels without one run of bands and one of frames, each up to `share` of all.

    As SpecAugment has it (Park et al. 2019, arXiv 1904.08779).
    """
    for axis in (1, 2):
        size = levels.shape[axis]
        width = torch.rand(len(levels), 1, generator=generator) * share * size
        first = torch.rand(len(levels), 1, generator=generator) * (size - width)
        place = torch.arange(size)
        hidden = (place >= first) & (place < first + width)
        levels = levels.where(~hidden.unsqueeze(3 - axis), quietest)
    return levels


def _sum(first: Tensor, second: Tensor) -> Tensor:
    """The level of the sum of two powers."""
    return torch.logaddexp(first * _NEPER, second * _NEPER) / _NEPER
