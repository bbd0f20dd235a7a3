"""Discovery of plugins: each is loaded alone into a staging registry, then committed or rolled back."""

from __future__ import annotations

from functools import cache

from genaudio.core.registry import Registry
from genaudio.plugins import builtin


@cache
def registry() -> Registry:
    """The registry of this process: the built-ins and whatever installed plugins provide."""
    result = Registry()
    builtin.genaudio_register(result)
    return result
