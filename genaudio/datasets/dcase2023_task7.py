"""The `dcase2023_task7` dataset: the development set of DCASE 2023 Task 7, Foley sound synthesis.

Read as published: `DevSet/{Class}/{id}.wav` (or the class folders themselves), 4 s at 22.05 kHz, with `DevMeta.csv`
beside. In the later release the folders are `dev/` and `eval/` with names such as `dog_bark`; then `eval/` is the test
split. There is no official validation split: a share is held out by a hash of the recording that a clip was cut from,
as `DevMeta.csv` names it. Without the table the hash is of the file alone, and cuts of one recording may lie on two
sides.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path, PurePosixPath
from typing import ClassVar

from genaudio.core.component import parameter
from genaudio.core.errors import DataError
from genaudio.datasets.base import Split
from genaudio.datasets.files import FileDataset, Item, Listing, audio_files
from genaudio.datasets.splits import hashed_split

_FOLDERS = ("DogBark", "Footstep", "GunShot", "Keyboard", "MovingMotorVehicle", "Rain", "Sneeze_Cough")
_CLASSES = ("dog_bark", "footstep", "gunshot", "keyboard", "moving_motor_vehicle", "rain", "sneeze_cough")
_DEVELOPMENT = ("DevSet", "DCASEFoleySoundSynthesisDevSet", "dev")


class DCASE2023Task7(FileDataset):
    """Foley sounds of seven classes: dog, footstep, gunshot, keyboard, vehicle, rain, sneeze and cough; 4,850 clips."""

    source: ClassVar[str] = (
        "`root` with DevSet/DogBark/ to DevSet/Sneeze_Cough/ and, beside DevSet/, DevMeta.csv: the development set of "
        "DCASE 2023 Task 7 (cut from UrbanSound8K, FSD50K and BBC Sound Effects, for research), "
        "https://zenodo.org/record/8091972, https://dcase.community/challenge2023/task-foley-sound-synthesis"
    )

    root: str = parameter("data/dcase2023_task7", min_length=1, description="Folder of the data; holds DevSet/")
    sample_rate: int = parameter(22050, ge=1000, le=192000, description="Rate that clips are brought to", unit="Hz")
    duration: float = parameter(4.0, gt=0, le=600, description="Length that clips are cropped or padded to", unit="s")
    validation_share: float = parameter(
        0.1, ge=0, lt=1, description="Share of the recordings that are held out to validate"
    )

    def listing(self, folder: Path) -> Listing:
        """The clips of the seven classes; a group is the recording that clips are cut from, if it is known."""
        development = next((folder / name for name in _DEVELOPMENT if (folder / name).is_dir()), folder)
        recordings = self._recordings(folder)
        items = []
        for label, path in self._clips(development):
            group = recordings.get((label, path.stem), path.relative_to(folder).as_posix())
            items.append(Item(path, label, group, hashed_split(group, self.validation_share, 0.0)))
        if missing := sorted({_FOLDERS[label] for label in set(range(len(_FOLDERS))) - {item.label for item in items}}):
            raise self.missing(f"no clips of {', '.join(missing)} in {self.root!r}")
        test: Split = "test"
        items += [
            Item(path, label, path.relative_to(folder).as_posix(), test) for label, path in self._clips(folder / "eval")
        ]
        return Listing(_CLASSES, tuple(items))

    def _clips(self, parent: Path) -> list[tuple[int, Path]]:
        found = []
        for label, names in enumerate(zip(_FOLDERS, _CLASSES, strict=True)):
            for name in names:
                if (parent / name).is_dir():
                    found += [(label, path) for path in audio_files(parent / name)]
        return found

    def _recordings(self, folder: Path) -> dict[tuple[int, str], str]:
        """The recording of each clip, by label and file stem, from DevMeta.csv."""
        table = folder / "DevMeta.csv"
        if not table.is_file():
            return {}
        recordings = {}
        try:
            with table.open(newline="", encoding="utf-8-sig") as file:
                for row in csv.DictReader(file):
                    path = PurePosixPath(row["current_file_path"].replace("\\", "/"))
                    label = _label(path.parent.name)
                    label = _label(row["category"]) if label is None else label
                    if label is not None and row["original_file_name"]:
                        recordings[label, path.stem] = f"{row['original_dataset']}/{row['original_file_name']}"
        except (KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"DevMeta.csv in {self.root!r} cannot be read: {type(error).__name__}: {error}",
                expected="columns category, current_file_path, original_dataset and original_file_name",
                mend="get the file again, or take it away: clips are then held out one by one",
            ) from error
        return recordings

    def split_hint(self) -> str:
        """The development set has no test split of its own."""
        return "raise `validation_share`; a test split needs the folder eval/ of the later release beside dev/"


def _label(name: str) -> int | None:
    """The class that `name` (DogBark, dog_bark, Sneeze) stands for."""
    plain = _plain(name)
    matches = [label for label, folder in enumerate(_FOLDERS) if plain and _plain(folder).startswith(plain)]
    return matches[0] if len(matches) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
