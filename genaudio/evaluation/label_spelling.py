"""One spelling for classes that folders spell otherwise: `001 - Dog bark`, `Dog_bark` and `dog bark` are one class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from genaudio.core.wording import listed


def spelled_as(labels: Sequence[str | None], classes: Iterable[str]) -> tuple[str | None, ...]:
    """`labels`, each written as the one of `classes` that differs from it in spelling alone; others stay as they are.

    A label that is one of `classes` stays too, and so does one whose spelling would fit several of them.
    """
    wanted = dict.fromkeys(classes)
    by_key: dict[str, list[str]] = {}
    for name in wanted:
        by_key.setdefault(_key(name), []).append(name)
    spelling: dict[str | None, str | None] = {None: None}
    for label in dict.fromkeys(labels):
        if label is not None:
            fitting = by_key.get(_key(label), [])
            spelling[label] = fitting[0] if len(fitting) == 1 and label not in wanted else label
    return tuple(spelling[label] for label in labels)


def nothing_in_common(generated: Sequence[str], real: Sequence[str], name: str) -> str:
    """That two sets with classes share none, with both lists and the likely mend; empty where they do.

    `name` is what the real clips are called.
    """
    if not generated or not real or set(generated) & set(real):
        return ""
    return (
        f"no class is in common: generated clips are of {listed(generated)}; {name} clips of {listed(real)}. Classes "
        "are the names of sub-folders: if these are the same sounds, name them alike"
    )


def _key(label: str) -> str:
    """Letters and digits in lower case, words joined by `_`, without a number that only sorts folders."""
    words = re.sub(r"[\W_]+", "_", label.casefold()).strip("_")
    return re.sub(r"^\d+_(?=\D)", "", words)
