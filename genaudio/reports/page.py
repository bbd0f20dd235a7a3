"""The report: one HTML file with everything in it, that opens from disk and asks nothing of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genaudio.core.files import write_text
from genaudio.reports import audio, html, spectrogram
from genaudio.reports.curve import Curve, curve
from genaudio.reports.data import ReportData, Sound

_MEASURED = "metric/"  # before the names of figures that the training log has of evaluations on the way


def write_report(path: Path, data: ReportData) -> None:
    """Write the page of `data` to `path`: whole, or not at all."""
    write_text(path, render(data))


def render(data: ReportData) -> str:
    """The page as text."""
    groups, top = _groups(data)
    return html.render(
        "report.html.j2",
        styles=("report.css",),
        script="report.js",
        data=data,
        groups=groups,
        tiles=_tiles(data),
        curves=_curves(data),
        timings=_timings(data),
        ticks=spectrogram.frequency_ticks(data.sample_rate),
        scale=spectrogram.scale(top),
    )


@dataclass(frozen=True)
class _Card:
    name: str
    caption: str
    picture: str
    width: int
    height: int
    media: str
    audio: str
    seconds: str
    peak: str
    rms: str
    channels: int
    mark: str


@dataclass(frozen=True)
class _Side:
    kind: str
    title: str
    cards: Sequence[_Card]


@dataclass(frozen=True)
class _Group:
    title: str
    sides: Sequence[_Side]


def _groups(data: ReportData) -> tuple[list[_Group], float]:
    """The clips by class, in order of first appearance, and the level at the bright end of all their pictures."""
    sides = (("generated", "Generated", data.generated), ("training", data.training_title, data.training))
    pictures = {
        (kind, index): spectrogram.levels(_two_dimensional(sound), data.sample_rate)
        for kind, _, sounds in sides
        for index, sound in enumerate(sounds)
    }
    top = spectrogram.ceiling(list(pictures.values()))
    labels = list(dict.fromkeys(sound.label for _, _, sounds in sides for sound in sounds))
    groups = []
    for label in labels:
        columns = []
        for kind, title, sounds in sides:
            chosen = [(index, sound) for index, sound in enumerate(sounds) if sound.label == label]
            if sounds:
                name = f"{title.lower()} clip {{}}" + ("" if label is None else f" of {label}")
                cards = [
                    _card(sound, name.replace("{}", str(number)), pictures[kind, index], top, data.sample_rate)
                    for number, (index, sound) in enumerate(chosen, start=1)
                ]
                columns.append(_Side(kind, title, cards))
        title = label if label is not None else "All clips" if labels == [None] else "Without a label"
        groups.append(_Group(title, columns))
    return groups, top


def _card(sound: Sound, name: str, picture: NDArray[np.float32], top: float, sample_rate: int) -> _Card:
    waveform = _two_dimensional(sound)
    level = audio.level(waveform)
    media, encoded = audio.encode(waveform, sample_rate)
    bands, frames = picture.shape
    return _Card(
        name=name,
        caption=sound.caption,
        picture=html.encoded(spectrogram.png(picture, top)),
        width=frames,
        height=bands,
        media=media,
        audio=html.encoded(encoded),
        seconds=f"{waveform.shape[-1] / sample_rate:.3g} s",
        peak=html.decibel_text(level.peak_dbfs),
        rms=html.decibel_text(level.rms_dbfs),
        channels=waveform.shape[0],
        mark=level.mark,
    )


def _two_dimensional(sound: Sound) -> NDArray[np.floating]:
    return np.atleast_2d(np.asarray(sound.waveform))


def _tiles(data: ReportData) -> list[dict[str, str]]:
    """The summary: the few figures that a reader wants first."""
    tiles = []
    loss = curve(data.metrics, "loss")
    if loss:
        tiles.append(_tile("Training loss", f"{loss.last:.4g}", f"from {loss.first:.4g}, smoothed"))
        tiles.append(
            _tile("Steps", f"{loss.steps:,}", _seconds(data.timings["train"]) if "train" in data.timings else "")
        )
    speeds = [value for row in data.metrics if isinstance(value := row.get("clips_per_second"), int | float)]
    if speeds:
        tiles.append(_tile("Training speed", f"{float(np.median(speeds)):.3g}", "clips per second, median"))
    if data.generated or data.training:
        classes = len({sound.label for sound in (*data.generated, *data.training) if sound.label is not None})
        detail = f"{classes} class{'' if classes == 1 else 'es'}" if classes else "no labels"
        tiles.append(_tile("Generated clips shown", str(len(data.generated)), detail))
    marks = [mark for sound in data.generated if (mark := audio.level(_two_dimensional(sound)).mark)]
    if data.generated:
        kinds = ", ".join(f"{marks.count(mark)} {mark}" for mark in dict.fromkeys(marks))
        tiles.append(_tile("Faulty among them", str(len(marks)), kinds or "none clipped, none silent"))
    tiles.append(_tile("Sample rate", f"{data.sample_rate / 1000:g} kHz", ""))
    return tiles


def _tile(title: str, figure: str, detail: str) -> dict[str, str]:
    return {"title": title, "figure": figure, "detail": detail}


def _curves(data: ReportData) -> list[dict[str, Any]]:
    loss = curve(data.metrics, "loss")
    rate = curve(data.metrics, "learning_rate", width=520, height=130, smoothing=False)
    norm = curve(data.metrics, "gradient_norm", width=520, height=130)
    shown: list[tuple[str, str, Curve | None, str]] = [
        ("Loss", "over steps; thin: as logged, thick: smoothed", loss, "double"),
        ("Learning rate", "over steps", rate, "single"),
        ("Gradient norm", "over steps, before clipping", norm, "double"),
    ]
    measured = dict.fromkeys(key for row in data.metrics for key in row if key.startswith(_MEASURED))
    for key in measured:
        line = curve(data.metrics, key, width=520, height=130, smoothing=False)
        shown.append((key.removeprefix(_MEASURED), "over steps, of clips sampled while training", line, "single"))
    return [
        {"title": title, "detail": detail + ("; logarithmic" if item.logarithmic else ""), "curve": item, "kind": kind}
        for title, detail, item, kind in shown
        if item is not None
    ]


def _timings(data: ReportData) -> list[dict[str, Any]]:
    longest = max((seconds for seconds in data.timings.values() if math.isfinite(seconds)), default=0.0)
    return [
        {"stage": stage, "text": _seconds(seconds), "share": seconds / longest if longest > 0 else 0.0}
        for stage, seconds in data.timings.items()
    ]


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
