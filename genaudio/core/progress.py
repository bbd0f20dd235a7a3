"""What a long piece of work tells of its progress; this base says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Progress:
    """Silent progress. A subclass shows it; one piece of work runs at a time."""

    def say(self, text: str) -> None:
        """One line of news."""

    def start(self, title: str, total: int, done: int = 0, unit: str = "steps") -> None:
        """A piece of work of `total` units begins, `done` of them done before."""

    def update(self, done: float, **facts: str) -> None:
        """`done` units are done; `facts` are short texts to show beside the bar."""

    def finish(self) -> None:
        """The piece of work has ended."""

    @contextmanager
    def counting(self, title: str, unit: str = "steps") -> Iterator[Callable[[int, int], None]]:
        """What to call with (done, total); the piece of work begins with the first call and ends with the block."""
        started = False

        def told(done: int, total: int) -> None:
            nonlocal started
            if not started:
                self.start(title, total, unit=unit)
                started = True
            self.update(done)

        try:
            yield told
        finally:
            if started:
                self.finish()
