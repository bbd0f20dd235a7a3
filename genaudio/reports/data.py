"""What a report shows, gathered by whoever ran the stages; the page itself reads nothing but this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sound:
    """One clip on the page: its class or None, its waveform (channels, time), float in [-1, 1], and a short caption."""

    label: str | None
    waveform: NDArray[np.floating]
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """An extra table: a title, the names of its columns, rows of text or numbers, and how the figures came about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. Only `name` and `sample_rate` are required; what is missing is left out.

    `training_title` stands over the sounds of `training`, which may be other ones to compare with. `metrics` holds the
    lines of metrics.jsonl (`step`, `loss`, `learning_rate`, …); `timings` is seconds a stage; `facts`, `sampling` and
    `versions` are shown as they are, in their order; `notes` are warnings, shown on top.
    """

    name: str
    sample_rate: int
    generated: Sequence[Sound] = ()
    training: Sequence[Sound] = ()
    training_title: str = "Training"
    metrics: Sequence[Mapping[str, object]] = ()
    recipe_yaml: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    sampling: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
