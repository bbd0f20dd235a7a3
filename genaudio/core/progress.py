"""What a long piece of work tells of its progress; this base says nothing."""

from __future__ import annotations


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
