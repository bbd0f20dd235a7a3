"""Whether held-out clips are of the kind of the training clips, as far as thresholds that are too low tell.

A training clip is no copy of the others. So a threshold that holds for clips of their kind is above the best score of
nearly every training clip beside the others, itself and its recording left out. Held-out clips of another kind (less
like any training clip, or all alike) may have a lower one, which many training clips exceed. The same can be seen where
several training clips are of one recording that nothing names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from genaudio.core.wording import listed

CLIPS = 100  # training clips, drawn at random, that are compared with the others
FEWEST = 20  # below which a share of them says too little
# Chosen between the shares that held-out clips of the training clips' kind gave, and those that clips of others gave.
_MOST, _TIMES = 0.1, 5.0


@dataclass(frozen=True)
class Kind:
    """Of so many training clips beside the others, those whose best score is above their threshold."""

    clips: int
    above: int
    rate: float

    @property
    def most(self) -> float:
        """The share from which on thresholds count as those of another kind: 0.1, and 5 times the rate asked for."""
        return _MOST + _TIMES * self.rate

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"clips": self.clips, "above": self.above, "share_allowed": self.most}

    @property
    def limits(self) -> list[str]:
        """What is to be said of it, if anything."""
        if self.clips < FEWEST or self.above <= self.most * self.clips:
            return []
        return [
            f"{self.above} of {self.clips} training clips, each beside the others, are above the thresholds that "
            f"held-out clips gave for a rate of {self.rate:g}: either held-out clips are of another kind than training "
            "clips, and new clips may be called copies (give others, or none), or several training clips are of one "
            "recording (name it by group_pattern)"
        ]


def class_limits(training: Iterable[str], held_out: Iterable[str]) -> list[str]:
    """That held-out clips lack classes of the training clips, whose clips then have the threshold of any class."""
    known, there = sorted(set(training)), set(held_out)
    missing = [label for label in known if label not in there]
    if not missing:
        return []
    if not there:
        return ["held-out clips have no classes: there is one threshold for clips of any class"]
    return [
        f"held-out clips lack {len(missing)} of {len(known)} classes of the training clips ({listed(missing)}): clips "
        "of these have the one threshold of any class"
    ]
