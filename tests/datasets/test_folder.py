"""The folder dataset: classes from folders, splits by hash that neither leak nor move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from genaudio.core.errors import DataError
from genaudio.datasets.folder import Folder
from genaudio.datasets.splits import hashed_split

Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_sub_folders_are_classes(root: Path) -> None:
    touch(
        root,
        "rain/a.wav",
        "dog/deep/b.FLAC",
        "dog/c.ogg",
        "dog/notes.txt",
        "dog/.hidden.wav",
        ".git/d.wav",
        "rain/e.mp3",
    )
    listing = Folder(root=str(root)).listing(root)
    assert listing.classes == ("dog", "rain")
    assert [(item.path.name, item.label) for item in listing.items] == [
        ("c.ogg", 0),
        ("b.FLAC", 0),
        ("a.wav", 1),
        ("e.mp3", 1),
    ]


@pytest.mark.parametrize("names", [("a.wav", "b.wav"), ("x/a.wav", "y/b.wav")])
def test_files_without_folders_or_with_labels_off_have_no_class(root: Path, names: tuple[str, ...]) -> None:
    touch(root, *names)
    listing = Folder(root=str(root), labels="/" not in names[0]).listing(root)
    assert listing.classes == ()
    assert [item.label for item in listing.items] == [None, None]


def test_loose_files_beside_class_folders_are_an_error(root: Path) -> None:
    touch(root, "a.wav", "dog/b.wav")
    with pytest.raises(DataError, match=r"(?s)class folders and 1 beside them, such as 'a.wav'.*labels: false"):
        Folder(root=str(root)).listing(root)


def test_a_folder_without_audio_is_an_error(root: Path) -> None:
    touch(root, "readme.txt")
    with pytest.raises(DataError, match="no audio files in"):
        Folder(root=str(root)).listing(root)


def test_splits_have_their_shares_are_disjoint_and_stay_when_files_come() -> None:
    names = [f"dog/{index}.wav" for index in range(4000)]
    splits = Counter(hashed_split(name, 0.1, 0.2) for name in names)
    assert splits["validation"] == pytest.approx(400, abs=80)
    assert splits["test"] == pytest.approx(800, abs=100)
    # A larger share takes from training only; no file goes from one held-out split to the other.
    for name in names:
        before, after = hashed_split(name, 0.1, 0.2), hashed_split(name, 0.15, 0.2)
        assert after == before or (before, after) == ("train", "validation")


def test_a_file_keeps_its_split_when_others_come_or_go(root: Path) -> None:
    touch(root, *(f"a/{index}.wav" for index in range(60)))
    before = {item.path: item.split for item in Folder(root=str(root)).listing(root).items}
    touch(root, *(f"a/x{index}.wav" for index in range(60)))
    after = {item.path: item.split for item in Folder(root=str(root)).listing(root).items}
    assert before.items() <= after.items()
    assert set(before.values()) == {"train", "validation", "test"}


def test_files_of_one_group_stay_together(root: Path) -> None:
    touch(root, *(f"{label}/{source}-{take}.wav" for label in "ab" for source in range(40) for take in range(4)))
    listing = Folder(root=str(root), group_pattern=r"(\d+)-\d+\.wav").listing(root)
    splits: dict[str, set[str]] = {}
    for item in listing.items:
        splits.setdefault(item.path.stem.split("-")[0], set()).add(item.split)
    assert all(len(held) == 1 for held in splits.values())
    assert len({item.split for item in listing.items}) == 3
    # Without the pattern the takes of a source are spread.
    loose = Folder(root=str(root)).listing(root)
    spread = {(item.path.stem.split("-")[0], item.split) for item in loose.items}
    assert len(spread) > 40


def test_a_pattern_that_does_not_fit_is_an_error(root: Path) -> None:
    touch(root, "a/1.wav")
    with pytest.raises(DataError, match=r"'speaker\(\.\)' is not found in 'a/1.wav'"):
        Folder(root=str(root), group_pattern="speaker(.)").listing(root)
    with pytest.raises(ValidationError, match="a regular expression: "):
        Folder(root=str(root), group_pattern="(")


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Folder(root="x", validation_share=0.5, test_share=0.5)


def test_an_empty_split_says_what_there_is(root: Path, write: Write, cache: Path) -> None:
    write("a.wav")
    with pytest.raises(
        DataError, match=r"(?s)holds no test clips.*found 1 train, 0 validation, 0 test.*change `validation_share`"
    ):
        Folder(root=str(root), validation_share=0.0, test_share=0.0).open("test", cache=cache)
