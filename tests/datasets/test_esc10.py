"""ESC-10: folds and sources respected, in both published layouts, and the real recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from genaudio.core.errors import DataError
from genaudio.datasets.esc10 import ESC10

CLASSES = (
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


def test_the_layout_of_esc10(tmp_path: Path) -> None:
    for folder in ("001 - Dog bark", "010 - Fire crackling"):
        (tmp_path / folder).mkdir()
        for fold in range(1, 6):
            (tmp_path / folder / f"{fold}-10{fold}-A.ogg").touch()
    listing = ESC10().listing(tmp_path)
    assert listing.classes == CLASSES
    assert [item.label for item in listing.items] == [0] * 5 + [9] * 5
    assert [item.split for item in listing.items[:5]] == ["train", "train", "train", "validation", "test"]


def test_the_layout_of_esc50(tmp_path: Path) -> None:
    rows = [
        ("1-100032-A-0.wav", 1, 0, "dog"),
        ("4-5-A-24.wav", 4, 24, "coughing"),
        ("5-7-B-12.wav", 5, 12, "crackling_fire"),
        ("4-9-A-20.wav", 4, 20, "crying_baby"),
    ]
    (tmp_path / "meta").mkdir()
    table = ["filename,fold,target,category,esc10,src_file,take"]
    table += [f"{name},{fold},{target},{category},True,1,A" for name, fold, target, category in rows]
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(table))
    listing = ESC10().listing(tmp_path)
    assert [(item.path.name, listing.classes[item.label or 0], item.split, item.group) for item in listing.items] == [
        ("1-100032-A-0.wav", "dog_bark", "train", "100032"),
        ("4-9-A-20.wav", "baby_cry", "validation", "9"),
        ("5-7-B-12.wav", "fire_crackling", "test", "7"),
    ]
    assert listing.items[0].path == tmp_path / "audio" / "1-100032-A-0.wav"
    (tmp_path / "meta" / "esc50.csv").write_text("name,label\nx,y\n")
    with pytest.raises(DataError, match=r"(?s)esc50.csv in .*KeyError.*filename and category"):
        ESC10().listing(tmp_path)


def test_folds_are_chosen_and_must_differ(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="validation_fold and test_fold are both 5"):
        ESC10(validation_fold=5)
    with pytest.raises(ValidationError):
        ESC10(test_fold=6)
    (tmp_path / "002 - Rain").mkdir()
    for fold in range(1, 6):
        (tmp_path / "002 - Rain" / f"{fold}-1-A.ogg").touch()
    listing = ESC10(validation_fold=None, test_fold=1).listing(tmp_path)
    assert [item.split for item in listing.items] == ["test", "train", "train", "train", "train"]


def test_foreign_folders_and_names_say_where_to_get_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)no clips of ESC-10's classes.*karolpiczak/ESC-50"):
        ESC10().listing(tmp_path)
    (tmp_path / "001 - Cow").mkdir()
    with pytest.raises(DataError, match="the folder '001 - Cow'"):
        ESC10().listing(tmp_path)
    (tmp_path / "001 - Cow").rmdir()
    (tmp_path / "001 - Dog bark").mkdir()
    (tmp_path / "001 - Dog bark" / "bark.ogg").touch()
    with pytest.raises(DataError, match=r"the file name 'bark\.ogg'"):
        ESC10().listing(tmp_path)


def test_the_real_recordings_have_no_source_on_two_sides(shared_data: Path) -> None:
    source = ESC10(root=str(shared_data / "esc10"))
    listing = source.listing(source.folder)
    assert Counter(item.label for item in listing.items) == dict.fromkeys(range(10), 32)
    assert Counter(item.split for item in listing.items) == {"train": 240, "validation": 80}
    splits: dict[str, set[str]] = {}
    for item in listing.items:
        splits.setdefault(item.group, set()).add(item.split)
    assert len(splits) < 320  # several clips a source
    assert all(len(held) == 1 for held in splits.values())


def test_real_clips_are_decoded_as_declared(shared_data: Path, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "few" / "009 - Rooster"
    folder.mkdir(parents=True)
    for path in sorted((shared_data / "esc10" / folder.name).glob("4-*"))[:4]:
        (folder / path.name).symlink_to(path.resolve())
    clips = ESC10(root=str(folder.parent)).open("validation", cache=cache)
    assert (clips.size, clips.sample_rate, clips.length, clips.channels) == (4, 22050, 88200, 1)
    for index in range(4):
        clip = clips.clip(index, 1)
        assert clip.label == 8
        assert clip.waveform.shape == (1, 88200)
        assert 0.01 < clip.waveform.abs().max() <= 1
