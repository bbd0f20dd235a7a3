"""What the audit keeps of a clip: its whitened patches, how loud it is when, and its log-mel levels.

Shapes: patches (frames, components); loudness (frames,); levels (bands, frames), a byte a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.audit.patches import SILENT

_STEP = 0.5  # dB


@dataclass(frozen=True)
class Sound:
    """A clip that can be compared; `levels` as `coded`, `duration` in s."""

    patches: Tensor
    frame_loudness: Tensor
    patch_loudness: Tensor
    levels: Tensor
    duration: float

    @property
    def sounding(self) -> int:
        """How many patches hold sound."""
        return int((self.patch_loudness > SILENT).sum())

    @property
    def decibel(self) -> Tensor:
        """The levels in dB, 0 of the clip's loudest cell, to half a dB."""
        return self.levels.float().mul_(-_STEP)


def coded(decibel: Tensor) -> Tensor:
    """Levels in dB, 0 of the loudest cell, as half dB below it; 127.5 dB and more below it are one."""
    return (decibel / -_STEP).round().clamp(0, 255).to(torch.uint8)
