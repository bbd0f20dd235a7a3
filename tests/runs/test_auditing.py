"""Audits of folders and of runs: verdicts, the file, the page, and the gate."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import genaudio
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import GenaudioError, Interrupted, RunError
from genaudio.datasets.cache import default_cache
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.feature_cache import FeatureCache
from genaudio.evaluation.feature_settings import feature_settings
from genaudio.runs.audit.audit import AuditRequest, run_audit
from genaudio.runs.auditing import audit_paths
from genaudio.training.device import resolve_device
from tests.conftest import gen

RATE = 16000


def clips(first: int, count: int) -> list[np.ndarray]:
    """Sounds of 1.5 s: twenty short tones of random pitch, place and length over faint noise, each clip another one."""
    return [_melody(np.random.default_rng(number)) for number in range(first, first + count)]


def _melody(generator: np.random.Generator) -> np.ndarray:
    time = np.arange(round(1.5 * RATE)) / RATE
    sound = 0.002 * generator.standard_normal(len(time))
    for _ in range(20):
        pitch, centre, width = (
            150 * 2 ** generator.uniform(0, 5),
            generator.uniform(0, 1.5),
            generator.uniform(0.02, 0.1),
        )
        sound += (
            generator.uniform(0.05, 0.2) * np.sin(2 * np.pi * pitch * time) * np.exp(-(((time - centre) / width) ** 2))
        )
    return 0.9 * sound / np.abs(sound).max()


def write(folder: Path, sounds: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number:03d}.wav", sound, RATE)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`training`, `held_out`, and `generated`: two copies, one of them with noise, a stitch, and three new clips."""
    root = tmp_path_factory.mktemp("audit")
    training = clips(0, 40)
    write(root / "training", training)
    write(root / "held_out", clips(100, 40))
    noise = np.random.default_rng(0).standard_normal((3, round(1.5 * RATE)))
    half = len(training[0]) // 2
    copies = [0.5 * training[7] + 1e-3 * noise[0] * training[7].std(), 0.9 * training[21]]
    stitch = np.concatenate([training[3][:half], training[11][half:]])
    write(root / "generated", [*copies, stitch, *clips(200, 3)])
    return root


@pytest.fixture(scope="module")
def found(folders: Path) -> dict[str, Any]:
    """What `gen audit --json` wrote."""
    audit_paths(
        folders / "generated",
        folders / "training",
        held_out=folders / "held_out",
        json_file=folders / "audit.json",
        page=folders / "audit.html",
    )
    written: dict[str, Any] = json.loads((folders / "audit.json").read_text())
    return written


def test_copies_are_told_from_new_clips_with_their_sources(folders: Path, found: dict[str, Any]) -> None:
    training = folders / "training"
    verdicts = [clip["verdict"] for clip in found["clips"]]
    assert verdicts[:2] == ["exact copy", "exact copy"]
    assert verdicts[3:] == ["new", "new", "new"]
    assert found["clips"][0]["sources"] == [str(training / "007.wav")]
    assert found["clips"][1]["matches"][0]["training"] == str(training / "021.wav")
    best = {match["training"] for match in found["clips"][2]["matches"][:2]}
    assert best == {str(training / "003.wav"), str(training / "011.wav")}


def test_the_file_is_as_documented(folders: Path, found: dict[str, Any]) -> None:
    assert set(found) == {"clips", "statistics"}
    for clip in found["clips"]:
        scores = [match["score"] for match in clip["matches"]]
        assert scores == sorted(scores, reverse=True)
        for match in clip["matches"]:
            for span in match["spans"]:
                start, end, training_start, training_end, _ = span
                assert 0 <= start < end <= 1.6
                assert 0 <= training_start < training_end <= 1.6
    statistics = found["statistics"]
    assert statistics["copies"] == sum(clip["verdict"] != "new" for clip in found["clips"])
    assert statistics["false_alarm_rate"] == 0.01
    assert statistics["edmsound"] is None  # six clips have no 95th percentile
    assert any("no measure of EDMSound: 6 generated" in note for note in statistics["notes"])


def test_the_page_shows_the_worst_first_with_players_and_spans(folders: Path, found: dict[str, Any]) -> None:
    page = (folders / "audit.html").read_text(encoding="utf-8")
    assert page.count("<audio") >= 12
    assert page.index("exact copy</span>") < page.index("new</span>")
    assert 'class="span"' in page


def test_the_same_from_python_gives_the_same(folders: Path, found: dict[str, Any]) -> None:
    again = audit_paths(folders / "generated", folders / "training", held_out=folders / "held_out").as_json()
    assert json.loads(json.dumps(again)) == found


def test_whole_clips_are_heard_from_the_cache_of_metrics(folders: Path, found: dict[str, Any]) -> None:
    settings = feature_settings(MelStatistics(), "mel_statistics", resolve_device("auto"))
    kept = FeatureCache(default_cache(), "mel_statistics", settings)
    for folder in ("generated", "training"):
        assert {clip.load().key for clip in ClipSet.of_folder(folders / folder).clips} <= kept.keys()
    kept.close()


def test_held_out_clips_of_another_kind_are_told_on_screen_in_the_file_and_on_the_page(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hiss = [0.1 * np.random.default_rng(number).standard_normal(round(1.5 * RATE)) for number in range(25)]
    write(tmp_path / "hiss", hiss)
    # Four clips each share half of their sound, which no hiss does with them.
    write(tmp_path / "training", [(own + clips(300 + n // 4, 1)[0]) / 2 for n, own in enumerate(clips(0, 40))])
    command = ["audit", "--generated", folders / "generated", "--training", tmp_path / "training"]
    command += ["--held-out", tmp_path / "hiss", "--json", tmp_path / "a.json", "--page", tmp_path / "a.html"]
    assert gen(*command) == 0
    words = "of 40 training clips, each beside the others, are above the thresholds that held-out clips gave"
    assert words in " ".join(capsys.readouterr().out.split())
    statistics = json.loads((tmp_path / "a.json").read_text())["statistics"]
    assert any(words in note for note in statistics["notes"])
    assert statistics["training_beside_itself"]["clips"] == 40
    assert words in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_what_is_fused_or_heard_in_windows_is_heard_once(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    plain = MelStatistics.features

    def counted(self: MelStatistics, waveform: torch.Tensor) -> torch.Tensor:
        heard.append(len(waveform))
        return plain(self, waveform)

    monkeypatch.setattr(MelStatistics, "features", counted)
    sets = {name: ClipSet.of_folder(folders / name) for name in ("generated", "training", "held_out")}
    request = AuditRequest(**sets, settings=AuditSettings(), embedding=MelStatistics(), fused=True, window=0.5)
    first = run_audit(request, device="cpu", cache=tmp_path)
    assert sum(heard) == (6 + 40 + 40) + 5 * (6 + 40)  # whole clips, and for the measure five windows of each
    heard.clear()
    second = run_audit(request, device="cpu", cache=tmp_path)
    assert heard == []
    assert second.as_json() == first.as_json()
    run_audit(replace(request, embedding=MelStatistics(bands=16), window=None), device="cpu", cache=tmp_path)
    assert sum(heard) == 6 + 40 + 40  # other settings are another key; the measure shares what was fused


def test_the_gate_fails_above_the_share_that_is_allowed(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", "--generated", folders / "generated", "--training", folders / "training"]
    command += ["--held-out", folders / "held_out"]
    assert gen(*command, "--fail-above", "0.2", "--quiet") == 3
    assert "are copies; --fail-above allows 20%" in capsys.readouterr().err
    assert gen(*command, "--fail-above", "0.9") == 0
    assert "6 clips: 2 exact copy" in capsys.readouterr().out


def test_clips_with_nothing_to_compare_are_told_and_pass_no_gate_alone(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digital silence, and a tone of 50 ms: neither holds a patch, so that neither can be called a copy."""
    silence, short = np.zeros(RATE), clips(7, 1)[0][8000:8800]
    mute = write(tmp_path / "mute", [silence, silence, short])
    some = write(tmp_path / "some", [silence, *clips(200, 2)])
    against = ["--training", folders / "training", "--held-out", folders / "held_out", "--json", tmp_path / "a.json"]
    words = "generated clips had nothing to compare: they are silent, or hold less sound than a patch is long"
    for folder, none, code in ((mute, "3 of 3", 2), (some, "1 of 3", 0)):
        assert gen("audit", "--generated", folder, *against, "--fail-above", "0") == code
        out, err = capsys.readouterr()
        assert f"note: {none} {words}" in out
        assert ("none of the 3 generated clips had anything to compare" in err) == (code == 2)
        statistics = json.loads((tmp_path / "a.json").read_text())["statistics"]
        assert statistics["limits"][0] == statistics["notes"][0]
        assert statistics["limits"][0].startswith(f"{none} {words}")
    assert gen("audit", "--generated", mute, *against, "--quiet") == 0  # without a gate: verdicts, for what they are


def test_settings_are_checked_like_a_recipe(folders: Path) -> None:
    with pytest.raises(RunError, match=r"--set evidence=2  evidence\n +given +2"):
        audit_paths(folders / "generated", folders / "training", settings=["evidence=2"])
    with pytest.raises(RunError, match="unknown key 'false_alarm'") as raised:
        audit_paths(folders / "generated", folders / "training", settings=["false_alarm=0.1"])
    assert "did you mean" in str(raised.value)
    for setting in ("enabled=false", "enabled=true", "enabled.x=1"):
        with pytest.raises(RunError, match=f"--set {setting}  enabled\n +given +a setting of `gen run`") as raised:
            audit_paths(folders / "generated", folders / "nothing", settings=[setting])
        assert "gen audit audits whenever it is called" in str(raised.value)
    with pytest.raises(GenaudioError, match="not there"):
        audit_paths(folders / "nothing", folders / "training")
    (folders / "run").mkdir(exist_ok=True)
    (folders / "run" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="what it holds are generated clips"):
        audit_paths(folders / "generated", folders / "run")
    with pytest.raises(RunError, match="is the folder of the training clips"):
        audit_paths(folders / "generated", folders / "training", held_out=folders / "training")
    (folders / "file").write_text("")
    with pytest.raises(RunError, match=r"--page .*file is a file"):
        audit_paths(folders / "generated", folders / "training", page=folders / "file" / "deep" / "audit.html")
    with pytest.raises(RunError, match=r"--json .* is a folder"):
        audit_paths(folders / "generated", folders / "training", json_file=folders)


def test_training_clips_calibrate_each_other_where_a_recipe_holds_out_too_few(folders: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "few.yaml"
    recipe.write_text(
        f"name: few\ndataset: {{type: folder, root: '{folders / 'training'}', sample_rate: 16000, duration: 1.5}}\n"
        "conditioner: null\n"
    )
    held_out = genaudio.load_recipe(recipe).dataset.open("validation")
    assert held_out.size is not None
    assert 0 < held_out.size < 20
    statistics = audit_paths(folders / "generated", recipe).as_json()["statistics"]
    assert statistics["calibrated_on"] == "training clips, each against all others"
    assert any("no held-out clips" in note for note in statistics["notes"])


def test_a_run_is_audited_against_its_dataset(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert json.loads((run / "audit/audit.json").read_text())["statistics"]["notes"] == [
        "the recipe says audit.enabled: false"
    ]
    data = tmp_path / "data"
    for label, first in (("metal", 0), ("rain", 60)):
        write(data / label, clips(first, 50))
    changes = [
        "audit.enabled=true",
        f"dataset={{type: folder, root: '{data}', sample_rate: 8000, duration: 0.125, validation_share: 0.4}}",
    ]
    recipe = genaudio.load_recipe(tiny_recipe, changes)
    genaudio.run(recipe, tmp_path / "fresh", quiet=True)
    found = json.loads((tmp_path / "fresh/audit/audit.json").read_text())
    assert len(found["clips"]) == 4
    assert found["statistics"]["calibrated_on"] == "held-out clips"
    assert (tmp_path / "fresh/audit/audit.html").exists()
    assert "<h2>Copy audit</h2>" in (tmp_path / "fresh/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("stage", "name"),
    [("audit", "genaudio.runs.audit.audit.audit"), ("evaluate", "genaudio.runs.evaluation.evaluator.clip_features")],
)
def test_a_stage_that_is_stopped_is_not_done(
    stage: str, name: str, tiny_run: Path, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    run = shutil.copytree(tiny_run, tmp_path / "run")
    recipe = genaudio.load_recipe(tiny_recipe, ["audit.enabled=true", "metric=kad"])
    monkeypatch.setattr(name, stopped)
    with pytest.raises(Interrupted):
        genaudio.run(recipe, run, force=True, quiet=True)
    assert stage not in json.loads((run / "run.json").read_text())["stages"]
