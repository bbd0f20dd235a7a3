"""DCASE 2023 Task 7: both releases' layouts, and a validation split that keeps a recording on one side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from genaudio.core.errors import DataError
from genaudio.datasets.dcase2023_task7 import DCASE2023Task7

FOLDERS = ("DogBark", "Footstep", "GunShot", "Keyboard", "MovingMotorVehicle", "Rain", "Sneeze_Cough")
CLASSES = ("dog_bark", "footstep", "gunshot", "keyboard", "moving_motor_vehicle", "rain", "sneeze_cough")


def touch(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        (folder / f"{index:03}.wav").touch()


@pytest.mark.parametrize("parent", ["DevSet", "DCASEFoleySoundSynthesisDevSet", ""])
def test_the_development_set(tmp_path: Path, parent: str) -> None:
    for name in FOLDERS:
        touch(tmp_path / parent / name, 20)
    listing = DCASE2023Task7().listing(tmp_path)
    assert listing.classes == CLASSES
    assert Counter(item.label for item in listing.items) == dict.fromkeys(range(7), 20)
    assert {item.split for item in listing.items} == {"train", "validation"}
    every = DCASE2023Task7(validation_share=0.0).listing(tmp_path)
    assert {item.split for item in every.items} == {"train"}


def test_the_later_release_has_a_test_split(tmp_path: Path) -> None:
    for name in CLASSES:
        touch(tmp_path / "dev" / name, 10)
        touch(tmp_path / "eval" / name, 3)
    listing = DCASE2023Task7().listing(tmp_path)
    tests = [item for item in listing.items if item.split == "test"]
    assert Counter(item.label for item in tests) == dict.fromkeys(range(7), 3)
    assert all("eval" in item.path.parts for item in tests)


def test_cuts_of_one_recording_stay_together(tmp_path: Path) -> None:
    rows = ["category,current_file_path,original_dataset,original_file_name"]
    for folder, category in zip(FOLDERS, (*FOLDERS[:6], "Sneeze"), strict=True):
        touch(tmp_path / "DevSet" / folder, 60)
        rows += [f"{category},./{folder}/{i:03}.wav,FSD50k,{folder}{i // 3}.wav" for i in range(60)]
    loose = DCASE2023Task7(validation_share=0.3).listing(tmp_path)
    (tmp_path / "DevMeta.csv").write_text("\n".join(rows))
    listing = DCASE2023Task7(validation_share=0.3).listing(tmp_path)

    def spread(items: object) -> int:
        return len({(item.path.parent, int(item.path.stem) // 3, item.split) for item in items})

    assert spread(listing.items) == 7 * 20
    assert spread(loose.items) > 7 * 20
    share = sum(item.split == "validation" for item in listing.items) / len(listing.items)
    assert share == pytest.approx(0.3, abs=0.12)


def test_paths_without_class_folders_take_the_category(tmp_path: Path) -> None:
    for name in FOLDERS:
        touch(tmp_path / "DevSet" / name, 1)
    (tmp_path / "DevMeta.csv").write_text(
        "category,current_file_path,original_dataset,original_file_name\nSneeze,000.wav,BBC,07.wav\nDogBark,000.wav,BBC,8\n"
    )
    groups = {item.label: item.group for item in DCASE2023Task7().listing(tmp_path).items}
    assert groups[6] == "BBC/07.wav"
    assert groups[0] == "BBC/8"
    assert groups[1] == "DevSet/Footstep/000.wav"


def test_a_table_without_its_columns_is_an_error(tmp_path: Path) -> None:
    for name in FOLDERS:
        touch(tmp_path / "DevSet" / name, 1)
    (tmp_path / "DevMeta.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"(?s)DevMeta.csv in .* cannot be read: KeyError.*columns category"):
        DCASE2023Task7().listing(tmp_path)


def test_missing_classes_are_named_and_the_source_is_told(tmp_path: Path, cache: Path) -> None:
    for name in FOLDERS[:5]:
        touch(tmp_path / "DevSet" / name, 1)
    with pytest.raises(DataError, match=r"(?s)no clips of Rain, Sneeze_Cough in .*zenodo\.org/record/8091972"):
        DCASE2023Task7(root=str(tmp_path)).open("train", cache=cache)


def test_without_eval_there_is_no_test_split(tmp_path: Path, cache: Path) -> None:
    for name in FOLDERS:
        touch(tmp_path / "DevSet" / name, 1)
    with pytest.raises(DataError, match=r"(?s)holds no test clips.*eval/ of the later release"):
        DCASE2023Task7(root=str(tmp_path)).open("test", cache=cache)
