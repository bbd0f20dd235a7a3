"""Lengths that the FFT is quick at."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=64)
def fast_length(length: int) -> int:
    """The smallest number from `length` on without prime factors above 5, where the FFT is quick."""
    candidate = length
    while True:
        rest = candidate
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 1
