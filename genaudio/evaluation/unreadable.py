"""Clips that cannot be used, all in one error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from genaudio.core.errors import DataError, GenaudioError
from genaudio.core.wording import listed
from genaudio.evaluation.audio_clip import AudioClip

_NAMED = 5  # clips that an error names; the rest are counted


class UnusableClipsError(DataError):
    """Clips of a set that cannot be read, or that an embedding makes nothing of."""

    @classmethod
    def naming(cls, wrong: Sequence[str], count: int) -> Self:
        """What is `wrong` with some of `count` clips, a text for each of them."""
        return cls(
            f"{len(wrong)} of {count} clips cannot be used: {listed(wrong, _NAMED, long=True)}",
            expected="clips that can all be read, with finite features",
            mend="repair or remove these files",
        )


def unreadable(clips: Sequence[AudioClip], sample_rate: int) -> list[str]:
    """What is wrong with each clip that cannot be read, in order."""

    def wrong(clip: AudioClip) -> str:
        try:
            clip.read(sample_rate)
        except GenaudioError as error:
            return error.problems[0].given
        return ""

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return [found for found in pool.map(wrong, clips) if found]
