"""The results of an audit in short for people: lines of a terminal, and a table of the page of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genaudio.audit.result import VERDICTS
from genaudio.reports.data import Table


def text(found: Mapping[str, Any]) -> str:
    """What `--json` holds: counts, the copies, EDMSound's measure, notes."""
    counts = _counts(found)
    lines = [f"{len(found['clips'])} clips: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())]
    lines += [
        f"  {clip['generated']}: {clip['verdict']} of {', '.join(clip['sources'])}"
        for clip in found["clips"]
        if clip["verdict"] != "new"
    ]
    measure = found["statistics"].get("edmsound")
    lines += [] if measure is None else [_spelled(measure)]
    return "\n".join([*lines, *(f"note: {note}" for note in found["statistics"]["notes"])])


def report_tables(found: Mapping[str, Any]) -> list[Table]:
    """The verdicts counted, for the page of a run; none if nothing was audited."""
    if not found["clips"]:
        return []
    rows = [[verdict, count, len(found["clips"])] for verdict, count in _counts(found).items()]
    note = "audit/audit.html has the clips that are most like training clips, beside those."
    measure = found["statistics"].get("edmsound")
    note += "" if measure is None else f" {_spelled(measure)}."
    return [Table("Copy audit", ("verdict", "clips", "of"), rows, note)]


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    return {verdict: sum(clip["verdict"] == verdict for clip in found["clips"]) for verdict in VERDICTS}


def _spelled(measure: Mapping[str, Any]) -> str:
    overall = measure["overall"]
    low, high = overall["interval"]
    return (
        f"EDMSound's measure with {measure['card']['embedding']}: {overall['value']:+.4f} ({low:+.4f} to {high:+.4f}); "
        "above 0, generated clips are nearer to training clips than those are to one another"
    )
