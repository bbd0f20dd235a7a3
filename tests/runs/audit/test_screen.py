"""Screens against copies: which clips they call so, and what is made in their place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import soundfile

import genaudio
from genaudio.audit.result import AuditedClip
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import RunError
from genaudio.core.progress import Progress
from genaudio.evaluation.clip_set import ClipSet
from genaudio.runs.audit.screen import CopyScreen
from genaudio.runs.samples import SampleRequest, write_samples
from tests.audit.conftest import RATE, Sound, events
from tests.conftest import gen


def written(folder: Path, sounds: Sequence[Sound]) -> Path:
    folder.mkdir(parents=True)
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number:03d}.wav", sound, RATE)
    return folder


def test_copies_are_told_by_index_with_their_sources(tmp_path: Path) -> None:
    training = written(tmp_path / "training", [events(n, 1.0) for n in range(24)])
    made = written(tmp_path / "made", [events(900, 1.0), 0.5 * events(7, 1.0), events(901, 1.0), events(3, 1.0)])
    screen = CopyScreen.of(ClipSet.of_folder(training), None, AuditSettings(), tries=2)
    entries = [{"index": 40 + n, "file": f"{n:03d}.wav", "label": None} for n in range(4)]
    copies = screen.copies(made, entries)
    assert {index: clip.sources for index, clip in copies.items()} == {
        41: (str(training / "007.wav"),),
        43: (str(training / "003.wav"),),
    }
    assert [*screen.copies(made, entries[3:])] == [43]
    assert (screen.tries, screen.facts["training"], screen.facts["training_clips"]) == (2, str(training), 24)


def test_gen_sample_makes_copies_anew(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The training clips hold one of the two that the same command makes without a screen."""

    def sampled(out: Path, *words: object) -> dict[str, Any]:
        assert gen("sample", tiny_run, "--label", "rain", "--count", 2, "--seed", 3, "--out", out, *words) == 0
        manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
        return manifest

    plain = sampled(tmp_path / "plain")
    training = written(tmp_path / "training", [events(n) for n in range(24)])
    shutil.copy(tmp_path / "plain" / plain["clips"][1]["file"], training / "known.wav")
    screened = sampled(tmp_path / "screened", "--reject-copies", training, "--tries", 2)
    assert "1 of 2 clips are copies of training clips, and made anew" in capsys.readouterr().err
    (rejected,) = screened["rejected"]
    assert (rejected["index"], rejected["sources"]) == (1, [str(training / "known.wav")])
    assert [clip["index"] for clip in screened["clips"]] == [0, 2]
    assert screened["screen"]["training_clips"] == 25
    first = plain["clips"][0]["file"]
    assert (tmp_path / "screened" / first).read_bytes() == (tmp_path / "plain" / first).read_bytes()


class Picky:
    """Calls the clips of these numbers copies of one training clip."""

    facts: ClassVar[dict[str, Any]] = {"training": "sounds"}
    tries = 3

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def copies(self, folder: Path, entries: Any) -> dict[int, AuditedClip]:
        found = [entry["index"] for entry in entries if entry["index"] in self.numbers]
        return {index: AuditedClip("", None, "exact copy", 0.9, 0.5, (), ("known.wav",)) for index in found}


def test_copies_are_made_anew_from_other_noise_and_the_rest_stays(tiny_run: Path, tmp_path: Path) -> None:
    model = genaudio.load(tiny_run)
    request = SampleRequest(("metal", "rain"), 2, model.plan(), seed=7)
    plain = write_samples(model, request, tmp_path / "plain", Progress())
    screened = replace(request, screen=Picky(0, 3, 4))  # and 4, which is made in place of 0
    manifest = write_samples(model, screened, tmp_path / "screened", Progress())
    assert [(clip["index"], clip["label"]) for clip in manifest["clips"]] == [
        (1, "metal"),
        (2, "rain"),
        (5, "rain"),
        (6, "metal"),
    ]
    assert [(entry["index"], entry["sources"]) for entry in manifest["rejected"]] == [
        (0, ["known.wav"]),
        (3, ["known.wav"]),
        (4, ["known.wav"]),
    ]
    for entry in manifest["clips"][:2]:
        assert (tmp_path / "screened" / entry["file"]).read_bytes() == (tmp_path / "plain" / entry["file"]).read_bytes()
    for entry in (*manifest["clips"], *manifest["rejected"]):
        assert (tmp_path / "screened" / entry["file"]).exists()
    assert "screen" not in plain
    again = write_samples(model, screened, tmp_path / "screened", Progress())
    assert again == manifest  # it stands there already


def test_a_model_that_makes_nothing_but_copies_is_told_so(tiny_run: Path, tmp_path: Path) -> None:
    model = genaudio.load(tiny_run)
    request = SampleRequest(("metal",), 2, model.plan(), seed=7, screen=Picky(*range(100)))  # type: ignore[arg-type]
    with pytest.raises(RunError, match="2 clips are copies of training clips after 3 tries to make others"):
        write_samples(model, request, tmp_path / "out", Progress())
    assert not (tmp_path / "out").exists()


def test_a_screen_without_clips_to_calibrate_it_is_refused_before_training(tiny_recipe: Path, tmp_path: Path) -> None:
    few = written(tmp_path / "few", [events(n) for n in range(3)])
    dataset = f"dataset={{type: folder, root: {few}, sample_rate: 8000, duration: 0.125, test_share: 0.0}}"
    recipe = genaudio.load_recipe(tiny_recipe, [dataset, "dataset.validation_share=0.0", "sampling.reject_copies=2"])
    with pytest.raises(RunError, match=r"reject_copies, and 3 training clips\n.*at least 20 .*\n.*reject_copies: 0"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/checkpoints").exists()
