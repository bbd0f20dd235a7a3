"""Words that the messages of many places share."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], most: int = 8, *, long: bool = False) -> str:
    """Names in a row, of many the first ones and how many more there are.

    `long` ones, which have commas of their own, are set apart by semicolons.
    """
    found = list(names)
    shown, rest = found[:most], [f"and {len(found) - most} more"] if len(found) > most else []
    return "; ".join([*shown, *rest]) if long else " ".join([", ".join(shown), *rest])
