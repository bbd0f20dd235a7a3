"""What stands where results are to be written, looked at before the work that they are for."""

from __future__ import annotations

import os
from pathlib import Path

from genaudio.core.errors import RunError


def check_file(option: str, path: Path | None) -> None:
    """Raise `RunError` for a file that could not be written; `option` is what it was given with, None is none."""
    if path is None:
        return
    if path.is_dir():
        raise RunError(f"{option} {path} is a folder", expected="a file")
    check_place(path, f"{option} {path}")


def check_place(path: Path, what: str | None = None) -> None:
    """Raise `RunError` unless something can be written at `path`, which `what` calls."""
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    fault = "is a file" if not parent.is_dir() else "cannot be written to" if not os.access(parent, os.W_OK) else ""
    if fault:
        raise RunError(f"{what or path}: {parent} {fault}", expected="a folder to write to")


def check_folder(path: Path) -> None:
    """Raise `RunError` for a folder that holds something, is none, or could not be written."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        what = "is not empty" if path.is_dir() else "is a file"
        raise RunError(f"{path} {what}", expected="a new or empty folder", mend="choose another with --out")
    check_place(path)
