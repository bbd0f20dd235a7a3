"""From sound files to sounds that can be compared: all at one rate, whitened by the training clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from genaudio.audit.patches import PatchReader
from genaudio.audit.sound import Sound, coded
from genaudio.audit.whitening import Whitening
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import GenaudioError
from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import AudioClip
from genaudio.evaluation.unreadable import UnusableClipsError, unreadable


class Listener:
    """Reads clips as the settings say; its whitening is fitted to training clips, drawn at random if they are many."""

    def __init__(self, settings: AuditSettings, training: Sequence[AudioClip], progress: Progress) -> None:
        self._rate, self._reader, self._progress = settings.sample_rate, PatchReader(settings), progress
        generator = torch.Generator().manual_seed(settings.seed)
        drawn = torch.randperm(len(training), generator=generator)[: settings.whitening_clips].sort().values.tolist()
        chosen = [training[number] for number in drawn]
        heard = map(self._reader, self._read(chosen, "whitening"))
        try:
            self.whitening = Whitening.fit((patches.values[patches.live] for patches in heard), settings.components)
        except UnusableClipsError:
            raise UnusableClipsError.naming(unreadable(training, self._rate), len(training)) from None

    def sounds(self, clips: Sequence[AudioClip], title: str) -> Iterator[Sound]:
        """The clips one by one, in order. Raises one `UnusableClipsError` for all files that cannot be read."""
        for waveform in self._read(clips, title):
            patches = self._reader(waveform)
            whitened = self.whitening(patches.values, patches.live)
            levels, duration = coded(patches.levels), len(waveform) / self._rate
            yield Sound(whitened, patches.frame_loudness, patches.patch_loudness, levels, duration)

    def _read(self, clips: Sequence[AudioClip], title: str) -> Iterator[Tensor]:
        wrong: list[str] = []  # after a bad clip the others are only looked at, for the error to name them all
        self._progress.start(title, len(clips), unit="clips")
        for done, clip in enumerate(clips, 1):
            try:
                waveform = clip.read(self._rate)[0]
            except GenaudioError as error:
                wrong.append(error.problems[0].given)
            if not wrong:
                yield waveform
            self._progress.update(done)
        self._progress.finish()
        if wrong:
            raise UnusableClipsError.naming(wrong, len(clips))
