from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.core.errors import DataError
from genaudio.datasets.files import Item, Listing
from genaudio.datasets.folder import Folder
from genaudio.datasets.fsdd import FSDD
from genaudio.datasets.procedural import Procedural
from genaudio.evaluation.held_out import held_out


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes 0 (test), 5 (validation) and 10 to 12 (training) of two digits, each another sound."""
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for digit in (0, 1):
        for take in (0, 5, 10, 11, 12):
            soundfile.write(tmp_path / "data" / f"{digit}_ann_{take}.wav", 0.3 * random.uniform(-1, 1, 800), 8000)
    return tmp_path / "data"


def test_both_splits_are_found_and_copies_of_training_files_named(digits: Path) -> None:
    (digits / "1_ann_5.wav").write_bytes((digits / "1_ann_11.wav").read_bytes())
    validation, test = held_out(FSDD(root=str(digits)))
    assert (validation.split, validation.clips.size, validation.copies) == ("validation", 2, {"1_ann_5.wav"})
    assert (test.split, test.clips.size, test.copies) == ("test", 2, frozenset())


def test_a_split_that_is_not_there_is_left_out_and_none_is_refused(digits: Path) -> None:
    (only,) = held_out(FSDD(root=str(digits), test_takes=()))
    assert only.split == "validation"
    with pytest.raises(DataError, match="no clips are held out of training") as error:
        held_out(FSDD(root=str(digits), test_takes=(), validation_takes=()))
    assert "test_takes" in str(error.value)


class Leaky(Folder):
    """Cuts of one recording on both sides."""

    def listing(self, folder: Path) -> Listing:
        paths = sorted(folder.glob("*.wav"))
        items = (Item(path, 0, "recording", "test" if n else "train") for n, path in enumerate(paths))
        return Listing(("a", "b"), tuple(items))


def test_a_group_on_both_sides_is_refused(digits: Path) -> None:
    with pytest.raises(DataError, match="1 groups of files are trained on and held out, such as 'recording'"):
        held_out(Leaky(root=str(digits)))


def test_a_source_without_files_has_both_splits() -> None:
    assert [one.split for one in held_out(Procedural(duration=0.1))] == ["validation", "test"]
