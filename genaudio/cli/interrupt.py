"""Ctrl-C while torch is being imported: the process ends there and then, as nothing is open that would need care.

An exception in the midst of that import ends in C++ code that knows none, and the process aborts with a core dump.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def quiet_while_importing() -> Iterator[None]:
    """Inside, SIGINT raises `KeyboardInterrupt` as always, but for the import of torch, where it ends the process.

    Where SIGINT is ignored or somebody else's, it is left alone.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, _handle)
    except ValueError:  # not in the main thread, which alone is told of signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _handle(number: int, frame: FrameType | None) -> None:
    spec = getattr(sys.modules.get("torch"), "__spec__", None)
    if getattr(spec, "_initializing", False):
        os.write(2, b"interrupted\n")
        os._exit(130)
    signal.default_int_handler(number, frame)
