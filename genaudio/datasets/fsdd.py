"""The `fsdd` dataset: the Free Spoken Digit Dataset, digits zero to nine at 8 kHz.

Files are `{digit}_{speaker}_{take}.wav`. The official test set is takes 0 to 4 of every digit and speaker; the rest
trains. There is no official validation set: takes 5 to 9 are held out of training for it by default.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from genaudio.core.component import Ints, parameter
from genaudio.datasets.base import Split
from genaudio.datasets.files import FileDataset, Item, Listing, audio_files

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAME = re.compile(r"(\d)_(\w+?)_(\d+)")


class FSDD(FileDataset):
    """Spoken digits: six speakers, 50 takes of each digit, split by take."""

    source: ClassVar[str] = (
        "{digit}_{speaker}_{take}.wav in `root` or in its folder recordings/: the Free Spoken Digit Dataset "
        "(CC BY-SA 4.0), https://github.com/Jakobovski/free-spoken-digit-dataset"
    )

    root: str = parameter("data/fsdd", min_length=1, description="Folder of the data; holds recordings/, or the files")
    sample_rate: int = parameter(8000, ge=1000, le=192000, description="Rate that clips are brought to", unit="Hz")
    test_takes: Ints = parameter((0, 1, 2, 3, 4), description="Takes of the test split; the official ones by default")
    validation_takes: Ints = parameter((5, 6, 7, 8, 9), description="Takes held out of training for validation")

    @model_validator(mode="after")
    def _disjoint(self) -> FSDD:
        if both := sorted(set(self.test_takes) & set(self.validation_takes)):
            raise ValueError(f"takes {both} are in test_takes and in validation_takes")
        return self

    def listing(self, folder: Path) -> Listing:
        """The digits of all takes, classes zero to nine; a group is one take of one speaker."""
        recordings = folder / "recordings"
        items = []
        for path in audio_files(recordings if recordings.is_dir() else folder):
            if match := _NAME.fullmatch(path.stem):
                digit, speaker, take = match.groups()
                items.append(Item(path, int(digit), f"{speaker}/{take}", self._split(int(take))))
        if not items:
            raise self.missing(f"no digits in {self.root!r}")
        return Listing(_DIGITS, tuple(items))

    def _split(self, take: int) -> Split:
        if take in self.test_takes:
            return "test"
        return "validation" if take in self.validation_takes else "train"

    def split_hint(self) -> str:
        """Which takes there are is up to the copy."""
        return "set `test_takes` and `validation_takes` to takes that are there, or get all 50 takes"
