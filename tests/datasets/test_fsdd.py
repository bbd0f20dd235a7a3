"""The digits: labels from names, splits by take, and the real recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from genaudio.core.errors import DataError
from genaudio.datasets.fsdd import FSDD


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The names of the whole dataset for three digits and two speakers."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for digit in (0, 3, 9):
        for speaker in ("jackson", "yweweler"):
            for take in range(50):
                (folder / f"{digit}_{speaker}_{take}.wav").touch()
    (folder / "readme.wav").touch()
    return tmp_path


def test_labels_and_official_split(root: Path) -> None:
    listing = FSDD(root=str(root)).listing(root)
    assert listing.classes == ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert Counter(item.split for item in listing.items) == {"train": 240, "validation": 30, "test": 30}
    for item in listing.items:
        digit, _, take = item.path.stem.split("_")
        assert item.label == int(digit)
        assert item.split == ("test" if int(take) < 5 else "validation" if int(take) < 10 else "train")
    assert FSDD(root=str(root)).listing(root / "recordings").items == listing.items


def test_takes_can_be_chosen_but_not_twice(root: Path) -> None:
    listing = FSDD(root=str(root), validation_takes=(), test_takes=(40, 41)).listing(root)
    assert Counter(item.split for item in listing.items) == {"train": 288, "test": 12}
    with pytest.raises(ValidationError, match=r"takes \[5\] are in test_takes and in validation_takes"):
        FSDD(test_takes=(4, 5))


def test_a_missing_or_foreign_folder_says_where_to_get_the_data(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)no folder .*Jakobovski/free-spoken-digit-dataset.*dataset\.root"):
        FSDD(root=str(tmp_path / "nowhere")).open("train", cache=cache)
    with pytest.raises(DataError, match=r"(?s)no digits in .*Jakobovski"):
        FSDD(root=str(tmp_path)).open("train", cache=cache)


def test_the_real_recordings(shared_data: Path, cache: Path) -> None:
    source = FSDD(root=str(shared_data / "fsdd"))
    clips = source.open("validation", cache=cache)
    assert (clips.size, clips.sample_rate, clips.length, clips.channels) == (300, 8000, 8000, 1)
    assert clips.rejected == ()
    found = [clips.clip(index, 0) for index in range(300)]
    assert Counter(clip.label for clip in found) == dict.fromkeys(range(10), 30)
    assert all(clip.identity.startswith(f"recordings/{clip.label}_") for clip in found)
    assert min(clip.waveform.abs().max().item() for clip in found) > 0.01
    listing = source.listing(source.folder)
    assert Counter(item.split for item in listing.items) == {"train": 2400, "validation": 300}
    with pytest.raises(DataError, match=r"(?s)holds no test clips.*set `test_takes`"):
        source.open("test", cache=cache)
