"""Seeds that are functions of names and numbers, so that randomness never depends on what was drawn before."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and on nothing else: `derive_seed(seed, "noise", index)`.

    Equal on every machine and Python version; parts are kept apart, so `("a", "bc")` and `("ab", "c")` differ.
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
