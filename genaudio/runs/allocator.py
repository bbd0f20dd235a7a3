"""The C library's allocator, told to keep freed memory instead of handing it back and faulting it in again."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> bool:
    """Raise glibc's trim and mmap thresholds for this process; True if that was possible.

    Large tensors of a CPU training step are freed and allocated again thousands of times; with the defaults each comes
    as fresh pages. An allocator that was preloaded (jemalloc, tcmalloc) has no `mallopt` of glibc's and is left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30) and mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
