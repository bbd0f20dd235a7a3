"""The `folder` dataset: any folder of audio files; its sub-folders are the classes.

Splits are drawn by a hash of each file's group, so that a file keeps its split when others come or go, and files of one
group (by `group_pattern`: cuts of one recording, takes of one speaker) are never on two sides.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from pydantic import field_validator, model_validator

from genaudio.core.component import parameter
from genaudio.core.errors import DataError
from genaudio.datasets.base import Split
from genaudio.datasets.files import FileDataset, Item, Listing, audio_files
from genaudio.datasets.splits import hashed_split


class Folder(FileDataset):
    """Your own sounds: wav, flac, ogg and mp3 files in a folder, or in one sub-folder for each class."""

    source: ClassVar[str] = (
        "your own wav, flac, ogg or mp3 files: in `root`, or in one sub-folder for each class, however deep"
    )

    labels: bool = parameter(
        True, description="Sub-folders of `root` are classes; false: no labels, whatever the folders"
    )
    validation_share: float = parameter(
        0.1, ge=0, lt=1, description="Share of the groups that are held out to validate"
    )
    test_share: float = parameter(0.1, ge=0, lt=1, description="Share of the groups that are held out to test")
    group_pattern: str | None = parameter(
        None,
        description="Regular expression searched in a file's path below `root`; files with equal first groups (or "
        "matches) stay in one split. null: every file is a group of its own",
    )

    @field_validator("group_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _some_left(self) -> Folder:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on")
        return self

    def listing(self, folder: Path) -> Listing:
        """Every audio file; its class is the first folder of its path below `folder`, if all files lie in folders."""
        paths = audio_files(folder)
        if not paths:
            raise self.missing(f"no audio files in {self.root!r}")
        names = [path.relative_to(folder) for path in paths]
        labels: list[int | None] = [None] * len(paths)
        classes: tuple[str, ...] = ()
        loose = [name for name in names if len(name.parts) == 1]
        if self.labels and len(loose) < len(names):
            if loose:
                raise DataError(
                    f"{self.root!r} has files in class folders and {len(loose)} beside them, such as {loose[0].name!r}",
                    expected="all files in class folders, or none",
                    mend="move the loose files into a class folder, or set `labels: false`",
                )
            classes = tuple(sorted({name.parts[0] for name in names}))
            labels = [classes.index(name.parts[0]) for name in names]
        groups = [self._group(name.as_posix()) for name in names]
        return Listing(
            classes,
            tuple(
                Item(path, label, group, self._split(group))
                for path, label, group in zip(paths, labels, groups, strict=True)
            ),
        )

    def _group(self, name: str) -> str:
        if self.group_pattern is None:
            return name
        match = re.search(self.group_pattern, name)
        if match is None:
            raise DataError(
                f"`group_pattern` {self.group_pattern!r} is not found in {name!r}",
                expected="a regular expression that every path below `root` contains",
                mend="widen the pattern, or make it null",
            )
        return str(match.group(1 if match.re.groups else 0) or "")

    def _split(self, group: str) -> Split:
        return hashed_split(group, self.validation_share, self.test_share)

    def split_hint(self) -> str:
        """Few groups and small shares can leave a split empty."""
        return "add files, or change `validation_share` and `test_share` (lower them if it is training clips that lack)"
