from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.reports import page
from genaudio.reports.data import ReportData, Sound, Table
from genaudio.reports.page import render, write_report

RATE = 8000
_VOID = {"meta", "link", "img", "br", "line", "polyline"}


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, the text outside scripts, and whether tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif data.strip() and self.open and self.open[-1] != "style":
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def tone(channels: int = 1, seconds: float = 0.1, amplitude: float = 0.5) -> np.ndarray:
    wave = amplitude * np.sin(2 * np.pi * 500 * np.arange(round(RATE * seconds)) / RATE)
    return np.tile(wave, (channels, 1)).astype(np.float32)


def full() -> ReportData:
    return ReportData(
        name="night & day",
        sample_rate=RATE,
        generated=[Sound("dog", tone(), "seed 1"), Sound("dog", tone(2), "seed 2"), Sound("rain", tone(), "seed 3")],
        training=[Sound("rain", tone(), "a.wav"), Sound("dog", tone(), "b.wav")],
        metrics=[
            {"step": step, "loss": 1 / step, "learning_rate": 1e-3, "gradient_norm": 1.0, "clips_per_second": 50.0}
            for step in range(1, 40)
        ],
        recipe_yaml="name: night\nseed: 3 # <b>\n",
        facts={"seed": 3},
        sampling={"solver": "heun", "evaluations": 39, "labels": ("dog", "rain"), "guidance": None},
        versions={"torch": "2.11"},
        timings={"train": 125.0, "sample": 2.5},
        tables=[Table("Agreement", ("class", "share"), [("dog", 0.91234)], "Measured on 10 clips.")],
        notes=["2 files were rejected"],
    )


def test_every_clip_has_a_player_and_a_picture_with_a_name() -> None:
    found = Page(render(full()))
    assert found.open == []
    assert len(found.all("audio")) == len(found.all("img")) == 5
    names = [attributes["aria-label"] for attributes in found.all("audio")]
    assert names == [
        "generated clip 1 of dog",
        "generated clip 2 of dog",
        "training clip 1 of dog",
        "generated clip 1 of rain",
        "training clip 1 of rain",
    ]
    assert [attributes["alt"] for attributes in found.all("img")] == [f"Spectrogram of {name}" for name in names]
    assert all("controls" in attributes for attributes in found.all("audio"))


def test_nothing_is_loaded_from_anywhere() -> None:
    text = render(full())
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    found = Page(text)
    for _, attributes in found.elements:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    (policy,) = [item["content"] for item in found.all("meta") if item.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    (script,) = found.scripts
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize(("channels", "seconds"), [(1, 1.0), (2, 0.5), (1, 5.0), (1, 0.001)])
def test_embedded_sound_decodes_to_the_clip(channels: int, seconds: float) -> None:
    clip = tone(channels, seconds)
    (player,) = Page(render(ReportData("one", RATE, generated=[Sound(None, clip)]))).all("audio")
    kind, content = player["src"].split(";base64,")
    assert kind in ("data:audio/flac", "data:audio/wav")
    decoded, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), always_2d=True)
    assert rate == RATE
    np.testing.assert_allclose(decoded.T, clip, atol=1 / 32768)


def test_what_is_given_is_shown() -> None:
    text = Page(render(full())).text
    for wanted in (
        "night & day", "dog", "rain", "seed 2", "b.wav", "heun", "39", "dog, rain", "2.11", "2 min 05 s", "2.5 s",
        "0.9123", "Measured on 10 clips.", "2 files were rejected", "seed: 3 # <b>", "2 ch", "peak −6.0", "RMS −9.0",
        "2 classes", "none clipped, none silent", "8 kHz", "Learning rate", "Gradient norm",
    ):  # fmt: skip
        assert wanted in text


def test_faulty_clips_are_marked_and_counted() -> None:
    clips = [np.zeros((1, 800)), tone(amplitude=2.0), tone(), np.full((1, 800), np.nan)]
    found = Page(render(ReportData("faults", RATE, generated=[Sound("a", clip) for clip in clips])))
    marks = [word for word in found.words if word in ("silent", "clipped", "not finite")]
    assert marks == ["silent", "clipped", "not finite"]
    assert "1 silent, 1 clipped, 1 not finite" in found.text
    assert sum("bad" in item.get("class", "").split() for item in found.all("figure")) == 3


def test_text_from_outside_is_never_markup() -> None:
    evil = "<script>alert('x')</script>\"><img src=y>"
    data = ReportData(
        evil,
        RATE,
        generated=[Sound(evil, tone(), evil)],
        recipe_yaml=evil + "</pre></details>",
        facts={evil: evil},
        sampling={evil: [evil]},
        versions={evil: evil},
        timings={evil: 1.0},
        tables=[Table(evil, (evil,), [(evil,)], evil)],
        notes=[evil],
    )
    found = Page(render(data))
    assert found.open == []
    assert len(found.all("script")) == len(found.all("img")) == 1
    assert found.text.count("alert('x')") >= 12


def test_the_least_that_makes_a_page() -> None:
    found = Page(render(ReportData("bare", RATE)))
    assert "No clips." in found.text
    assert found.all("audio") == found.all("svg") == found.all("table") == found.all("details") == []


def test_one_side_or_one_class_or_no_label() -> None:
    unlabelled = Page(render(ReportData("x", RATE, generated=[Sound(None, tone())])))
    assert "All clips" in unlabelled.text
    assert "Training" not in unlabelled.words
    assert unlabelled.all("nav") == []
    mixed = Page(render(ReportData("x", RATE, generated=[Sound("a", tone())], training=[Sound("b", tone())])))
    assert "No generated clip of this class." in mixed.text
    assert "No training clip of this class." in mixed.text


def test_the_same_data_gives_the_same_bytes() -> None:
    assert render(full()) == render(full())


def test_sixty_clips_of_a_second_stay_below_5_mb() -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (1, 16000)).astype(np.float32)  # nothing compresses worse
    sounds = [Sound(f"class {index % 10}", noise) for index in range(30)]
    assert len(render(ReportData("big", 16000, generated=sounds, training=sounds)).encode()) < 5e6


def test_the_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / "report.html"
    write_report(path, ReportData("first", RATE))
    assert path.read_text(encoding="utf-8") == render(ReportData("first", RATE))

    def fail(*_: object) -> bytes:
        raise OSError("the disk is full")

    monkeypatch.setattr(page.audio, "encode", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_report(path, full())
    assert "first" in path.read_text(encoding="utf-8")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]
