"""Files that are whole or absent, and what is said of those that cannot be written."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from genaudio.core.errors import RunError
from genaudio.core.files import atomic_file, atomic_folder, write_json, write_text


@contextmanager
def little_room() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, not even what pytest prints to: what a full disk does to who writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("x" * 5000),
        lambda path: save_file({"x": torch.zeros(5000)}, path),
        lambda path: soundfile.write(path, np.zeros(5000), 8000, format="WAV"),
    ],
    ids=["text", "safetensors", "sound"],
)
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "file"
    words = r"new/file cannot be written: .*\n.*room in it\n.*free some space"
    with pytest.raises(RunError, match=words), little_room(), atomic_file(path) as partial:
        write(partial)
    assert list(path.parent.iterdir()) == []


def test_a_folder_for_which_there_is_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    write_text(tmp_path / "model" / "a", "before")
    wrong = pytest.raises(RunError, match=r"model cannot be written")
    with wrong, little_room(), atomic_folder(tmp_path / "model") as partial:
        save_file({"x": torch.zeros(5000)}, partial / "weights")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "a").read_text() == "before"


def test_a_file_in_the_place_of_a_folder_is_an_error_that_names_what_was_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file/results.json cannot be written"):
        write_json(tmp_path / "file" / "results.json", {})


def test_an_error_of_reading_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "b" / "copy"):
        (tmp_path / "a" / "not_there").read_text()
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "b" / "copy"):
        raise ZeroDivisionError
