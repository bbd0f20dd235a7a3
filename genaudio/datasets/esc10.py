"""The `esc10` dataset: ten classes of environmental sounds, split by fold.

Files are `{fold}-{source}-{take}[-{target}].ogg` or `.wav`. Clips of one source are cut from one recording and lie in
one fold, so that a split by folds does not leak. Both published layouts are read: ESC-10 with a folder for each class
(`001 - Dog bark/`), and ESC-50 with `audio/` and `meta/esc50.csv`, of which the ten classes are taken.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from genaudio.core.component import parameter
from genaudio.core.errors import DataError
from genaudio.datasets.base import Split
from genaudio.datasets.files import FileDataset, Item, Listing, audio_files

_CLASSES = (
    "dog_bark",
    "rain",
    "sea_waves",
    "baby_cry",
    "clock_tick",
    "person_sneeze",
    "helicopter",
    "chainsaw",
    "rooster",
    "fire_crackling",
)
# ESC-50 calls some of the classes otherwise.
_ESC50 = {"dog": "dog_bark", "crying_baby": "baby_cry", "sneezing": "person_sneeze", "crackling_fire": "fire_crackling"}
_FOLDER = re.compile(r"\d+ - (.+)")
_NAME = re.compile(r"(\d)-(\d+)-([A-Z])(-\d+)?")


class ESC10(FileDataset):
    """Environmental sounds: dog, rain, sea, baby, clock, sneeze, helicopter, chainsaw, rooster, fire; 40 clips each."""

    source: ClassVar[str] = (
        "`root` with a folder for each class ('001 - Dog bark/1-100032-A.ogg', …), ESC-10 (CC BY 3.0), "
        "doi:10.1145/2733373.2806390; or with audio/ and meta/esc50.csv, ESC-50 (CC BY-NC 3.0), "
        "https://github.com/karolpiczak/ESC-50"
    )

    root: str = parameter(
        "data/esc10", min_length=1, description="Folder of the data: the layout of ESC-10 or of ESC-50"
    )
    sample_rate: int = parameter(22050, ge=1000, le=192000, description="Rate that clips are brought to", unit="Hz")
    duration: float = parameter(4.0, gt=0, le=600, description="Length that clips are cropped or padded to", unit="s")
    validation_fold: int | None = parameter(4, ge=1, le=5, description="Fold held out to validate; null: none")
    test_fold: int | None = parameter(5, ge=1, le=5, description="Fold held out to test; null: none")

    @model_validator(mode="after")
    def _disjoint(self) -> ESC10:
        if self.validation_fold is not None and self.validation_fold == self.test_fold:
            raise ValueError(f"validation_fold and test_fold are both {self.test_fold}")
        return self

    def listing(self, folder: Path) -> Listing:
        """The clips of the ten classes in the order of ESC-10; a group is the recording that clips are cut from."""
        table = folder / "meta" / "esc50.csv"
        found = self._from_table(folder, table) if table.is_file() else self._from_folders(folder)
        items = []
        for path, name in found:
            match = _NAME.fullmatch(path.stem)
            if match is None:
                raise self.missing(f"the file name {path.name!r} in {self.root!r}")
            items.append(Item(path, _CLASSES.index(name), match.group(2), self._split(int(match.group(1)))))
        if not items:
            raise self.missing(f"no clips of ESC-10's classes in {self.root!r}")
        return Listing(_CLASSES, tuple(items))

    def _from_folders(self, folder: Path) -> Iterator[tuple[Path, str]]:
        for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
            if match := _FOLDER.fullmatch(sub.name):
                name = match.group(1).lower().replace(" ", "_")
                if name not in _CLASSES:
                    raise self.missing(f"the folder {sub.name!r} in {self.root!r}")
                for path in audio_files(sub):
                    yield path, name

    def _from_table(self, folder: Path, table: Path) -> Iterator[tuple[Path, str]]:
        try:
            with table.open(newline="", encoding="utf-8") as file:
                rows = sorted(
                    (row["filename"], _ESC50.get(row["category"], row["category"])) for row in csv.DictReader(file)
                )
        except (KeyError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"{table.name} in {self.root!r} cannot be read: {type(error).__name__}: {error}",
                expected="a table with the columns filename and category",
                mend="get the file again; a changed copy may lack a column",
            ) from error
        for name, label in rows:
            if label in _CLASSES:
                yield folder / "audio" / name, label

    def _split(self, fold: int) -> Split:
        if fold == self.test_fold:
            return "test"
        return "validation" if fold == self.validation_fold else "train"

    def split_hint(self) -> str:
        """Which folds there are is up to the copy."""
        return "set `validation_fold` and `test_fold` to folds that are there, or get all five"
