"""A second hearing: training clips as they would sound under the generated clip's own noise and in its bandwidth.

Shapes: levels (bands, frames), dB below the clip's loudest cell; floor (bands, 1); patches (frames, components).

Noise hides what lies below it, a low-pass filter what lies above. Compared as they are, a copy and its source differ in
all that is hidden in one of them alone. So bands that are empty in the generated clip are left out of both, and levels
below its floor count as the floor in both. The floor of a band is the level that it exceeds for nine tenths of the
time: that of steady noise, if there is any.

Patches that are heard so are whitened anew, by the candidates and some other training clips heard in the same way. So
noise, which is now in all of them, counts for nothing, and what the candidates have in common, as calls of one kind of
animal have, counts less than what only one of them has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from genaudio.audit.alignment import Stretch
from genaudio.audit.patches import QUIET, SILENT, cut, surrounded
from genaudio.audit.sound import Sound
from genaudio.audit.whitening import Whitening
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import DataError

_FLOOR = 0.1  # quantile of a band's levels that is its floor
_NOISE = 6.0  # dB above the floor that the power of steady noise does not reach
_LOUD = 20.0  # dB: cells this near to the loudest of a stretch tell how much louder it is played
_EVERY = 3  # neighbouring patches overlap: every third is enough to whiten by


class SecondHearing:
    """What training clips sound like under a clip's floor, and in the bands that it has."""

    def __init__(self, clip: Sound, settings: AuditSettings) -> None:
        self._clip, self._settings, self._levels = clip, settings, clip.decibel
        self._heard = self._levels.amax(1) > -settings.dynamic_range
        self._floor = self._levels[self._heard].quantile(_FLOOR, dim=1, keepdim=True)

    def of(
        self, candidates: Mapping[int, Sound], stretches: Mapping[int, Stretch], others: Sequence[Sound]
    ) -> tuple[Sound, dict[int, Sound]]:
        """The clip and its candidates with new patches, whitened by those of the candidates and of `others`.

        `stretches` are the candidates' best stretches as first heard. Where nothing of any candidate is above the
        floor, all stays as it was.
        """
        heard = {number: self._cut(one, self._gain(one, stretches.get(number))) for number, one in candidates.items()}
        shown = [values[::_EVERY][live[::_EVERY]] for values, live in heard.values()]
        shown += [values[live] for values, live in (self._cut(one, 0.0, _EVERY) for one in others)]
        try:
            whitening = Whitening.fit(shown, self._settings.components)
        except DataError:
            return self._clip, dict(candidates)
        return self._quiet_if_noise(_reheard(self._clip, whitening, *self._cut(self._clip, 0.0))), {
            number: _reheard(candidates[number], whitening, *patches) for number, patches in heard.items()
        }

    def _cut(self, sound: Sound, gain: float, every: int = 1) -> tuple[Tensor, Tensor]:
        """The patches of a clip that is played louder by `gain` dB, and which of them rise above the floor."""
        levels = surrounded(sound.decibel[self._heard] + gain, self._settings)
        above = (levels > self._floor).any(0).unfold(0, self._settings.patch_frames, 1).any(1)
        values = cut(torch.maximum(levels, self._floor), self._settings, every)
        return values, ((sound.patch_loudness > SILENT) & above)[::every]

    def _quiet_if_noise(self, clip: Sound) -> Sound:
        """A patch is quiet, and so may be noise, that nowhere rises far above the floor as a whole."""
        levels = surrounded(self._levels[self._heard], self._settings)
        above = 10 * torch.log10(_power(levels) / _power(self._floor))
        noise = above.unfold(0, self._settings.patch_frames, 1).amax(1) < _NOISE
        return replace(
            clip, patch_loudness=torch.where(noise, clip.patch_loudness.clamp_max(QUIET), clip.patch_loudness)
        )

    def _gain(self, sound: Sound, stretch: Stretch | None) -> float:
        """By how many dB the clip plays a stretch of a candidate louder, in the bands it has; 0 without a stretch."""
        if stretch is None:
            return 0.0
        here = slice(stretch.first, stretch.last + 1)
        there = slice(stretch.first + stretch.lag, stretch.last + 1 + stretch.lag)
        own, other = self._levels[self._heard, here], sound.decibel[self._heard, there]
        return float((own - other)[other > other.amax() - _LOUD].median())


def _reheard(sound: Sound, whitening: Whitening, patches: Tensor, live: Tensor) -> Sound:
    """With other patches; those that do not rise above the floor are silent."""
    return replace(sound, patches=whitening(patches, live), patch_loudness=sound.patch_loudness * live)


def _power(decibel: Tensor) -> Tensor:
    """`(bands, frames)` to the power of each frame."""
    return torch.pow(10.0, decibel / 10).sum(0)
