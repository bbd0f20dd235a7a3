"""Clips to judge a classifier by: those that a dataset holds out, none of which it can have learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genaudio.core.errors import DataError
from genaudio.core.files import sha256
from genaudio.datasets.base import Clips, Dataset, Progress, Split
from genaudio.datasets.files import FileDataset, Item

_SPLITS: tuple[Split, ...] = ("validation", "test")


@dataclass(frozen=True)
class HeldOut:
    """A split, opened, and the identities of its clips that are copies of training files, byte for byte."""

    split: Split
    clips: Clips
    copies: frozenset[str]


def held_out(dataset: Dataset, progress: Progress | None = None) -> tuple[HeldOut, ...]:
    """The splits `validation` and `test`, as far as the dataset has them.

    Raises `DataError` where it has neither, and where files of one group (a recording, a speaker's take) are trained on
    and held out: what would be measured is memory.
    """
    splits = _of_files(dataset, progress) if isinstance(dataset, FileDataset) else _of_others(dataset, progress)
    if not splits:
        hint = f"{dataset.split_hint()}, so that some are" if isinstance(dataset, FileDataset) else ""
        raise DataError(
            "no clips are held out of training",
            expected="a validation or a test split to measure the classifier on",
            mend=hint,
        )
    return splits


def _of_files(dataset: FileDataset, progress: Progress | None) -> tuple[HeldOut, ...]:
    folder = dataset.folder
    items = dataset.listing(folder).items
    _refuse_shared_groups(items)
    learned = {sha256(item.path) for item in items if item.split == "train"}
    splits = []
    for split in _SPLITS:
        chosen = [item for item in items if item.split == split]
        if chosen:
            copies = (item.path.relative_to(folder).as_posix() for item in chosen if sha256(item.path) in learned)
            splits.append(HeldOut(split, dataset.open(split, progress=progress), frozenset(copies)))
    return tuple(splits)


def _of_others(dataset: Dataset, progress: Progress | None) -> tuple[HeldOut, ...]:
    splits = []
    for split in _SPLITS:
        try:
            splits.append(HeldOut(split, dataset.open(split, progress=progress), frozenset()))
        except DataError:  # what a dataset says of a split that it does not have
            continue
    return tuple(splits)


def _refuse_shared_groups(items: Sequence[Item]) -> None:
    learned = {item.group for item in items if item.split == "train"}
    shared = sorted({item.group for item in items if item.split != "train"} & learned)
    if shared:
        raise DataError(
            f"{len(shared)} groups of files are trained on and held out, such as {shared[0]!r}",
            expected="each group in one split",
            mend="correct the dataset's splits",
        )
