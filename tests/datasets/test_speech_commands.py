"""SC09: the official lists decide the split, and no speaker is on two sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from genaudio.core.errors import DataError
from genaudio.datasets.speech_commands import SpeechCommands

Write = Callable[..., Path]
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture
def root(tmp_path: Path, write: Write) -> Path:
    """The official layout in small: three speakers, one for each split, and words that are not digits."""
    for word in (*WORDS, "bed", "_background_noise_"):
        for speaker in ("aaaa1111", "bbbb2222", "cccc3333"):
            write(f"{word}/{speaker}_nohash_0.wav", seconds=0.1)
    folder = tmp_path / "data"
    (folder / "validation_list.txt").write_text("".join(f"{word}/bbbb2222_nohash_0.wav\n" for word in (*WORDS, "bed")))
    (folder / "testing_list.txt").write_text("".join(f"{word}/cccc3333_nohash_0.wav\n" for word in (*WORDS, "bed")))
    return folder


def test_the_official_lists_are_the_splits(root: Path, cache: Path) -> None:
    source = SpeechCommands(root=str(root))
    listing = source.listing(root)
    assert listing.classes == WORDS
    assert len(listing.items) == 30
    speakers = {"train": "aaaa1111", "validation": "bbbb2222", "test": "cccc3333"}
    assert all(item.group == speakers[item.split] for item in listing.items)
    clips = source.open("test", cache=cache)
    assert (clips.size, clips.length, clips.sample_rate) == (10, 16000, 16000)
    assert [(clip.identity, clip.label) for clip in (clips.clip(i, 0) for i in (0, 9))] == [
        ("zero/cccc3333_nohash_0.wav", 0),
        ("nine/cccc3333_nohash_0.wav", 9),
    ]


@pytest.mark.parametrize("lost", ["validation_list.txt", "testing_list.txt", "four"])
def test_an_incomplete_folder_says_what_is_missing_and_where_to_get_it(root: Path, cache: Path, lost: str) -> None:
    (root / lost).rename(root / "elsewhere")
    with pytest.raises(DataError, match=rf"(?s)no (folder )?{lost}/? in .*speech_commands_v0.02.tar.gz"):
        SpeechCommands(root=str(root)).open("train", cache=cache)
