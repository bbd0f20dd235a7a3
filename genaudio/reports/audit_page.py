"""The page of an audit: the generated clips that are most like training clips, beside those, the like parts marked.

Every picture of a section lies on one time axis: a training clip is moved so that its best span stands below the part
of the generated clip that it matches. One file with everything in it, as the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genaudio.audit.result import AuditedClip, AuditResult, Match, Verdict
from genaudio.core.files import write_text
from genaudio.reports import audio, html, spectrogram

_COLOURS = ("#35c4e8", "#f2b134", "#7bd66a", "#ff7a90", "#b79cff")  # told apart on the dark pictures, and by number
_TITLES: Mapping[Verdict, str] = {"exact copy": "Exact copies", "stitching copy": "Stitching copies", "new": "New"}


@dataclass(frozen=True)
class Offender:
    """A generated clip with its waveform (channels, time), and the waveforms of some of its matches, best first."""

    clip: AuditedClip
    waveform: NDArray[np.floating]
    matches: Sequence[tuple[Match, NDArray[np.floating]]]


@dataclass(frozen=True)
class AuditPage:
    """Everything on the page; all waveforms are at `sample_rate`.

    `pictures` are PNG files by title, such as the distribution of scores; `facts` say how the audit was done, `notes`
    are warnings.
    """

    name: str
    sample_rate: int
    result: AuditResult
    offenders: Sequence[Offender]
    facts: Mapping[str, object] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_audit_page(path: Path, data: AuditPage) -> None:
    """Write the page to `path`: whole, or not at all."""
    write_text(path, render(data))


def render(data: AuditPage) -> str:
    """The page as text."""
    shown = [
        waveform
        for offender in data.offenders
        for waveform in (offender.waveform, *(waveform for _, waveform in offender.matches))
    ]
    pictures = {id(waveform): spectrogram.levels(waveform, data.sample_rate) for waveform in shown}
    top = spectrogram.ceiling(list(pictures.values()))
    return html.render(
        "audit.html.j2",
        styles=("report.css", "audit.css"),
        script="report.js",
        data=data,
        tiles=_tiles(data.result),
        sections=[_section(offender, data.sample_rate, pictures, top) for offender in data.offenders],
        rows=[_row(clip) for clip in data.result.clips],
        pictures={title: html.encoded(png) for title, png in data.pictures.items()},
        ticks=spectrogram.frequency_ticks(data.sample_rate),
        scale=spectrogram.scale(top),
    )


@dataclass(frozen=True)
class _Mark:
    """A marked span: its place in the picture, from 0 to 1, its colour, and what it says."""

    left: float
    width: float
    colour: str
    number: int
    title: str


@dataclass(frozen=True)
class _Lane:
    """One clip on the section's time axis: where its picture stands, from 0 to 1, and its player."""

    kind: str
    title: str
    name: str
    left: float
    width: float
    picture: str
    media: str
    audio: str
    level: str
    marks: Sequence[_Mark]


@dataclass(frozen=True)
class _Section:
    title: str
    verdict: str
    detail: str
    lanes: Sequence[_Lane]


def _section(offender: Offender, sample_rate: int, pictures: Mapping[int, NDArray[np.float32]], top: float) -> _Section:
    clip = offender.clip
    seconds = offender.waveform.shape[-1] / sample_rate
    shifts = [_shift(match) for match, _ in offender.matches]
    lengths = [waveform.shape[-1] / sample_rate for _, waveform in offender.matches]
    begin = min([0.0, *shifts])
    total = max([seconds, *(shift + length for shift, length in zip(shifts, lengths, strict=True))]) - begin

    def lane(kind: str, title: str, name: str, waveform: Any, start: float, marks: Sequence[_Mark]) -> _Lane:
        media, sound = audio.encode(waveform, sample_rate)
        level = audio.level(waveform)
        length = waveform.shape[-1] / sample_rate
        peak, rms = html.decibel_text(level.peak_dbfs), html.decibel_text(level.rms_dbfs)
        text = f"{length:.3g} s · peak {peak} · RMS {rms}"
        picture = html.encoded(spectrogram.png(pictures[id(waveform)], top))
        return _Lane(
            kind,
            title,
            name,
            (start - begin) / total,
            length / total,
            picture,
            media,
            html.encoded(sound),
            text,
            marks,
        )

    generated = [
        mark
        for number, (match, _) in enumerate(offender.matches, start=1)
        for mark in _marks(match, number, seconds, generated=True)
    ]
    lanes = [lane("generated", "Generated", clip.generated, offender.waveform, 0.0, generated)]
    for number, ((match, waveform), shift, length) in enumerate(
        zip(offender.matches, shifts, lengths, strict=True), start=1
    ):
        title = f"Training {number}, score {match.score:.3f}"
        marks = _marks(match, number, length, generated=False)
        lanes.append(lane("training", title, match.training, waveform, shift, marks))
    detail = f"score {clip.score:.3f}, threshold {clip.threshold:.3f}"
    if clip.verdict == "new" and clip.score > clip.threshold:
        detail += ", but no stretch of it runs like one of a training clip"
    if clip.label is not None:
        detail += f"; class {clip.label}"
    return _Section(Path(clip.generated).name, clip.verdict, detail, lanes)


def _shift(match: Match) -> float:
    """Seconds by which the training clip is moved so that its best span lies below the part it matches."""
    best = max(match.spans, key=lambda span: span.score, default=None)
    return 0.0 if best is None else best.generated_start - best.training_start


def _marks(match: Match, number: int, seconds: float, *, generated: bool) -> list[_Mark]:
    marks = []
    for span in match.spans:
        here = (span.generated_start, span.generated_end) if generated else (span.training_start, span.training_end)
        start, end = (min(max(edge, 0.0), seconds) for edge in here)
        title = (
            f"{span.generated_start:.2f} to {span.generated_end:.2f} s of the generated clip are "
            f"{span.training_start:.2f} to {span.training_end:.2f} s of training {number}, score {span.score:.3f}"
        )
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        marks.append(_Mark(start / seconds, (end - start) / seconds, colour, number, title))
    return marks


def _tiles(result: AuditResult) -> list[dict[str, str]]:
    count = len(result.clips)
    tiles = [{"title": "Clips audited", "figure": f"{count:,}", "detail": ""}]
    for verdict, title in _TITLES.items():
        found = sum(clip.verdict == verdict for clip in result.clips)
        share = f"{100 * found / count:.3g}%" if count else ""
        tiles.append({"title": title, "figure": f"{found:,}", "detail": share})
    return tiles


def _row(clip: AuditedClip) -> dict[str, object]:
    best = clip.matches[0] if clip.matches else None
    return {
        "generated": clip.generated,
        "label": clip.label,
        "verdict": clip.verdict,
        "score": clip.score,
        "threshold": clip.threshold,
        "nearest": best.training if best else None,
    }
