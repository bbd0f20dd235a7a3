"""Where what is asked for may be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from genaudio.core.errors import RunError
from genaudio.runs.editing.noise_file import check_new
from genaudio.runs.outputs import check_file, check_folder, check_place


def test_a_file_may_be_replaced_and_a_folder_may_not(tmp_path: Path) -> None:
    check_file("--json", None)
    check_file("--json", tmp_path / "new.json")
    with pytest.raises(RunError, match=r"--json .* is a folder\n.*a file"):
        check_file("--json", tmp_path)


def test_a_folder_is_filled_only_if_it_is_new_or_empty(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")
    (tmp_path / "file").touch()
    for path, what in ((tmp_path, "is not empty"), (tmp_path / "file", "is a file")):
        with pytest.raises(RunError, match=rf"{what}\n.*a new or empty folder[\s\S]*--out"):
            check_folder(path)


def test_a_place_that_cannot_be_written_to_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    for check in (check_folder, check_place, check_new):
        with pytest.raises(
            RunError, match=rf"deep/new: {tmp_path} cannot be written to\n    expected  a folder to write"
        ):
            check(tmp_path / "deep" / "new")
