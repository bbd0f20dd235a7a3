"""Progress in a terminal: a bar with what is done, how fast, and how long it will take."""

from __future__ import annotations

import time
from typing import Any

from genaudio.core.progress import Progress

SECONDS_BETWEEN_LINES = 20.0


class ConsoleProgress(Progress):
    """A live bar on standard error where that is a terminal, else a plain line now and then."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Any = None
        self._task: Any = None
        self._title, self._unit, self._total, self._first, self._began = "", "", 0, 0.0, 0.0
        self._said_at = 0.0

    def say(self, text: str) -> None:
        """One line of news."""
        self._console.print(text, markup=False)

    def start(self, title: str, total: int, done: int = 0, unit: str = "steps") -> None:
        """A piece of work begins."""
        self.finish()
        self._title, self._unit, self._total, self._first = title, unit, total, float(done)
        self._began = self._said_at = time.monotonic()
        if self._console.is_terminal:
            from rich import progress as rich

            self._bar = rich.Progress(
                rich.TextColumn("{task.description}"),
                rich.BarColumn(bar_width=None),
                rich.TextColumn("{task.fields[done]}/{task.total} {task.fields[unit]}"),
                rich.TextColumn("{task.fields[facts]}"),
                rich.TextColumn("{task.fields[left]} left"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(
                title, total=total, completed=done, done=done, unit=unit, facts="", left="…"
            )
            self._bar.start()

    def update(self, done: float, **facts: str) -> None:
        """Move the bar, or say a line if the last one is a while ago."""
        text = "  ".join(f"{name} {value}" for name, value in facts.items() if value)
        left = self._time_left(done)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, done=int(done), facts=text, left=left)
        elif time.monotonic() - self._said_at >= SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            self.say(f"{self._title}  {int(done)}/{self._total} {self._unit}  {text}  {left} left")

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _time_left(self, done: float) -> str:
        moved = done - self._first
        if moved <= 0:
            return "…"
        seconds = (self._total - done) * (time.monotonic() - self._began) / moved
        return clock(seconds)


def clock(seconds: float) -> str:
    """A duration for people: `42 s`, `3:05 min`, `2:10 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
