"""Pieces of work that tell how far they are."""

from __future__ import annotations

from typing import Any

import pytest

from genaudio.core.progress import Progress


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self, title: str, total: int, done: int = 0, unit: str = "steps") -> None:
        self.calls.append(("start", title, total, unit))

    def update(self, done: float, **facts: str) -> None:
        self.calls.append(("update", done))

    def finish(self) -> None:
        self.calls.append(("finish",))


def test_counted_work_begins_with_the_first_call_and_ends_with_the_block() -> None:
    progress = Told()
    with progress.counting("decode", "files") as told:
        assert progress.calls == []
        told(1, 2)
        told(2, 2)
    assert progress.calls == [("start", "decode", 2, "files"), ("update", 1), ("update", 2), ("finish",)]


def test_work_that_is_not_there_is_not_shown() -> None:
    progress = Told()
    with progress.counting("decode"):
        pass
    assert progress.calls == []


def test_work_that_fails_is_ended() -> None:
    progress = Told()

    def fail() -> None:
        with progress.counting("decode") as told:
            told(1, 2)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert progress.calls[-1] == ("finish",)
