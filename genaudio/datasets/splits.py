"""Splits by hash: which split a group falls into depends on its name alone, so that adding files moves none."""

from __future__ import annotations

from genaudio.core.seeds import derive_seed
from genaudio.datasets.base import Split


def hashed_split(group: str, validation_share: float, test_share: float) -> Split:
    """The split of `group`: its hash is a uniform number in [0, 1); the lowest share tests, the next validates.

    Raising a share therefore only moves groups out of training, or from validation to test.
    """
    place = derive_seed("split", group) / 2**63
    if place < test_share:
        return "test"
    return "validation" if place < test_share + validation_share else "train"
