"""Files that are either whole or absent: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genaudio.core.errors import RunError

# Modules of packages that tell of a full disk by errors of their own instead of OSError.
_WRITERS = ("safetensors", "soundfile")


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Inside, an error of writing becomes a `RunError` that names `path`; one of reading another file stays itself."""
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str | Path) and path.parent.absolute() not in _above(error.filename):
            raise
        raise _unwritable(path, error.strerror or str(error)) from error
    except Exception as error:
        if not type(error).__module__.startswith(_WRITERS):
            raise
        raise _unwritable(path, str(error)) from error


def _above(path: str | Path) -> Sequence[Path]:
    return Path(path).absolute().parents


def _unwritable(path: Path, reason: str) -> RunError:
    return RunError(
        f"{path} cannot be written: {reason}",
        expected="a folder that can be written to, with room in it",
        mend="free some space or see to the permissions, and give the same command again; or choose another place",
    )


def _folder_of(path: Path) -> None:
    """Make the folder that `path` is to be in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` when the block ends well, and disappears when it does not.

    Raises `RunError` if it cannot be written.
    """
    _folder_of(path)
    partial = _beside(path)
    try:
        with _written(path):
            yield partial
            _flush(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes `path` when the block ends well, replacing what stood there.

    Raises `RunError` if it cannot be written.
    """
    _folder_of(path)
    partial = _beside(path)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _written(path):
            partial.mkdir()
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    _flush(file)
            if path.exists():
                replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
                path.rename(replaced)
                partial.rename(path)
                shutil.rmtree(replaced)
            else:
                partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def expanded(path: str) -> Path:
    """A path as somebody wrote it, `~` and `$VARIABLES` expanded."""
    return Path(os.path.expandvars(path)).expanduser()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
