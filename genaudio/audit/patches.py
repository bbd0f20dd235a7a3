"""Patches of a clip: what 0.125 s of its log-mel spectrogram look like, one patch centred on each frame.

Shapes: waveform (time,); levels (bands, frames), dB; patches (frames, bands * patch_frames); loudness (frames,):
SILENT, QUIET or LOUD.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.core.audit_settings import AuditSettings
from genaudio.evaluation.log_mel import LogMel

SILENT, QUIET, LOUD = 0, 1, 2
_SURROUNDINGS_DB = -120.0  # LogMel's floor: what a clip is surrounded by


@dataclass(frozen=True)
class Patches:
    """The patches of one clip, of norm 1, zeros where they are silent; how loud its frames and its patches are.

    A patch is as loud as its loudest frame. `levels` is what they were cut from, in dB, 0 of the clip's loudest cell.
    """

    values: Tensor
    frame_loudness: Tensor
    patch_loudness: Tensor
    levels: Tensor

    @property
    def live(self) -> Tensor:
        """`(frames,)`: which patches hold sound."""
        return self.patch_loudness > SILENT


class PatchReader:
    """Cuts clips into patches.

    Silence surrounds the clip, so that a clip however short has a patch for each frame.
    """

    def __init__(self, settings: AuditSettings) -> None:
        self.settings = settings
        self._log_mel = LogMel(
            settings.sample_rate,
            bands=settings.bands,
            window=settings.window,
            hop=settings.hop,
            floor_db=_SURROUNDINGS_DB,
        )

    def __call__(self, waveform: Tensor) -> Patches:
        """`(time,)` to the patches of its frames."""
        with torch.no_grad():
            decibel = self._log_mel(waveform.float())
        level = 10 * torch.log10(torch.pow(10.0, decibel / 10).sum(0))
        frame_loudness = self._loudness(level, level.amax())
        around = surrounded(level, self.settings).unfold(-1, self.settings.patch_frames, 1)
        patch_loudness = self._loudness(around.amax(1), level.amax())
        values = cut(surrounded(decibel, self.settings), self.settings) * (patch_loudness > SILENT)[:, None]
        return Patches(values, frame_loudness, patch_loudness, decibel - decibel.amax())

    def _loudness(self, level: Tensor, loudest: Tensor) -> Tensor:
        """SILENT, QUIET or LOUD for levels in dB, given the clip's loudest."""
        settings = self.settings
        sounding = (level > loudest - settings.silence) & (level > settings.quietest)
        loud = sounding & (level > loudest - settings.quiet)
        return sounding.to(torch.int8) + loud.to(torch.int8)


def surrounded(levels: Tensor, settings: AuditSettings) -> Tensor:
    """`(..., frames)` to `(..., frames + patch_frames - 1)`: silence around, for a patch about each frame."""
    length = settings.patch_frames
    before = length // 2
    return torch.nn.functional.pad(levels, (before, length - 1 - before), value=_SURROUNDINGS_DB)


def cut(levels: Tensor, settings: AuditSettings, every: int = 1) -> Tensor:
    """The patches of surrounded levels, `(bands, frames)` in dB, or every so many: `(patches, bands * patch_frames)`.

    A patch is clipped `dynamic_range` below its own loudest cell, so that the level of a part of a clip does not
    matter; its mean over all cells is removed (not band by band: the spectrum's shape tells sounds apart) and it is
    scaled to norm 1, so that the dot product of two patches is their correlation.
    """
    windows = levels.unfold(-1, settings.patch_frames, 1)[:, ::every]
    values = windows.permute(1, 0, 2).reshape(windows.shape[1], -1)
    values = torch.maximum(values, values.amax(1, keepdim=True) - settings.dynamic_range)
    return torch.nn.functional.normalize(values - values.mean(1, keepdim=True), dim=1)
