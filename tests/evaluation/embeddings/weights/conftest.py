"""What a checkpoint of a stranger may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Malice:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.victim,)
