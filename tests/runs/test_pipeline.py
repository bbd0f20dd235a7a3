from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file

import genaudio
from genaudio.core.errors import Interrupted, RunError
from genaudio.runs import stages
from genaudio.runs.directory import RunDirectory
from genaudio.training.log import read_metrics


@pytest.fixture
def finished(tiny_run: Path) -> Path:
    """The run that was never stopped."""
    return tiny_run


def steps_logged(run: Path) -> list[tuple[float, float]]:
    return [(row["step"], row["loss"]) for row in read_metrics(run / "metrics.jsonl")]


def assert_same_result(run: Path, other: Path) -> None:
    one, two = load_file(run / "model/model.safetensors"), load_file(other / "model/model.safetensors")
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)
    assert steps_logged(run) == steps_logged(other)
    for path in sorted((run / "samples").rglob("*.wav")):
        assert path.read_bytes() == (other / "samples" / path.relative_to(run / "samples")).read_bytes()


def test_a_run_leaves_model_samples_and_report(finished):
    manifest = json.loads((finished / "samples/manifest.json").read_text())
    assert [clip["label"] for clip in manifest["clips"]] == ["metal", "metal", "rain", "rain"]
    assert [clip["index"] for clip in manifest["clips"]] == [0, 1, 2, 3]
    assert all((finished / "samples" / clip["file"]).stat().st_size > 1000 for clip in manifest["clips"])
    assert manifest["num_steps"] == manifest["evaluations"] == 3
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 4 + 6
    assert not list(finished.rglob("*.partial"))


def test_the_same_recipe_gives_the_same_bytes(finished, tiny_recipe, tmp_path):
    assert_same_result(finished, genaudio.run(tiny_recipe, tmp_path / "again", quiet=True))


def test_finished_stages_are_skipped(finished, tiny_recipe, tmp_path, capsys):
    run = shutil.copytree(finished, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")}
    genaudio.run(tiny_recipe, run)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")} == before
    assert "train: done before" in capsys.readouterr().err


KILLED_AT_STEP = """
import os, signal, sys
import genaudio.runs.stages as stages
import genaudio

class Killer(stages.Trainer):
    def _log(self, log, done, rate):
        super()._log(log, done, rate)
        if done == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

stages.Trainer = Killer
genaudio.run(sys.argv[1], sys.argv[2], quiet=True)
"""


@pytest.mark.parametrize(
    "step", [2, 4, pytest.param(6, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_killed_and_resumed_is_never_interrupted(finished, tiny_recipe, tmp_path, step):
    """Checkpoints are written after steps 3, 6 and 9; the log has a row every 2 steps."""
    run = tmp_path / "run"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP, str(tiny_recipe), str(run), str(step)],
        env={**os.environ, "OMP_NUM_THREADS": str(__import__("torch").get_num_threads())},
        check=False,
    )
    assert killed.returncode == -9
    assert not (run / "model").exists()
    genaudio.run(tiny_recipe, run, quiet=True)
    assert_same_result(run, finished)


def test_ctrl_c_saves_says_how_to_go_on_and_resumes_exactly(finished, tiny_recipe, tmp_path, monkeypatch):
    import signal

    import genaudio.runs.stages as stages

    class Pressed(stages.Trainer):
        def _log(self, log, done, clips_per_second):
            super()._log(log, done, clips_per_second)
            if done == 4:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stages, "Trainer", Pressed)
    with pytest.raises(Interrupted, match=r"stopped after step 5.*\n    mend      go on with the same"):
        genaudio.run(tiny_recipe, tmp_path / "run", quiet=True)
    monkeypatch.undo()
    assert (tmp_path / "run/checkpoints/step-00000005").is_dir()
    genaudio.run(tiny_recipe, tmp_path / "run", quiet=True)
    assert_same_result(tmp_path / "run", finished)


def test_a_killed_sampling_goes_on_with_the_missing_clips(finished, tiny_recipe, tmp_path, monkeypatch):
    import genaudio.runs.samples as samples

    run = shutil.copytree(finished, tmp_path / "run")
    RunDirectory(run).put_aside("sample", run / "samples")
    RunDirectory(run).put_aside("report", run / "report.html")
    written = []
    write = samples.write_clip

    def stop_at_third(path, *rest):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        return write(path, *rest)

    monkeypatch.setattr(samples, "write_clip", stop_at_third)
    with pytest.raises(
        Interrupted, match=r"stopped; 2 of 4 clips are made and kept\n    mend      go on with the same .* or"
    ):
        genaudio.run(tiny_recipe, run, quiet=True)
    assert not (run / "samples").exists()
    monkeypatch.undo()
    genaudio.run(tiny_recipe, run, quiet=True)
    assert_same_result(run, finished)
    names = [clip["index"] for clip in json.loads((run / "samples/manifest.json").read_text())["clips"]]
    assert names == [0, 1, 2, 3]


def test_a_changed_recipe_is_refused_with_the_difference(finished, tiny_recipe):
    recipe = genaudio.load_recipe(tiny_recipe, ["training.learning_rate=0.5", "sampling.num_steps=4"])
    with pytest.raises(RunError) as error:
        genaudio.run(recipe, finished, quiet=True)
    text = str(error.value)
    assert "training.learning_rate: 0.0002 -> 0.5" in text
    assert "sampling.num_steps: 3 -> 4" in text
    assert "--force" in text


def test_force_does_again_what_a_change_affects_and_deletes_nothing(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    weights = (run / "model/model.safetensors").stat().st_mtime_ns
    old = (run / "samples/manifest.json").read_bytes()
    genaudio.run(genaudio.load_recipe(tiny_recipe, ["sampling.num_steps=4"]), run, force=True, quiet=True)
    assert (run / "model/model.safetensors").stat().st_mtime_ns == weights
    assert json.loads((run / "samples/manifest.json").read_text())["num_steps"] == 4
    kept = list((run / "previous").rglob("manifest.json"))
    assert [path.read_bytes() for path in kept] == [old]


def test_the_recipe_of_now_decides_how_to_sample(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    guided = genaudio.load_recipe(tiny_recipe, ["guidance={type: cfg, scale: 3.0}"])
    genaudio.run(guided, run, force=True, until="sample", quiet=True)
    assert json.loads((run / "samples/manifest.json").read_text())["guidance"] == {"type": "cfg", "scale": 3.0}
    genaudio.run(tiny_recipe, run, force=True, until="sample", quiet=True)
    assert json.loads((run / "samples/manifest.json").read_text())["guidance"] is None


def test_more_steps_with_force_continue_the_training(finished, tiny_recipe, tmp_path):
    longer = genaudio.load_recipe(tiny_recipe, ["training.steps=13"])
    run = shutil.copytree(finished, tmp_path / "run")
    genaudio.run(longer, run, force=True, until="train", quiet=True)
    straight = genaudio.run(longer, tmp_path / "straight", until="train", quiet=True)
    one = load_file(run / "model/model.safetensors")
    two = load_file(straight / "model/model.safetensors")
    assert all(one[name].equal(two[name]) for name in one)


def test_a_changed_training_with_force_starts_over(finished, tiny_recipe, tmp_path):
    changed = genaudio.load_recipe(tiny_recipe, ["training.learning_rate=0.01"])
    run = shutil.copytree(finished, tmp_path / "run")
    genaudio.run(changed, run, force=True, until="train", quiet=True)
    straight = genaudio.run(changed, tmp_path / "straight", until="train", quiet=True)
    assert steps_logged(run) == steps_logged(straight)


def write_tones(root: Path, *folders: str) -> str:
    """Three tones a folder, and the override that makes them the dataset of the tiny recipe."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            tone = np.sin(np.arange(2000) * 0.1 * (1 + number))
            soundfile.write(root / folder / f"{number}.wav", tone, 8000)
    shares = "validation_share: 0.0, test_share: 0.0"
    return f"dataset={{type: folder, root: {root}, sample_rate: 8000, duration: 0.125, {shares}}}"


def test_a_label_that_is_no_class_is_refused_before_training(tiny_recipe, tmp_path):
    recipe = genaudio.load_recipe(tiny_recipe, [write_tones(tmp_path / "s", "rain", "metal"), "sampling.labels=[rian]"])
    with pytest.raises(RunError, match=r"sampling\.labels has 'rian'\n.*metal, rain\n.*did you mean 'rain'"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/checkpoints").exists()


def test_what_was_made_from_a_stage_that_is_done_again_goes_with_it(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    genaudio.run(tiny_recipe, run, only=["train"], force=True, quiet=True)
    assert not (run / "samples").exists()
    assert not (run / "report.html").exists()
    assert (run / "previous/002/samples/manifest.json").exists()


def test_a_change_that_stages_before_need_moves_nothing(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    changed = genaudio.load_recipe(tiny_recipe, ["sampling.num_steps=4"])
    with pytest.raises(RunError, match=r"report cannot start: sample, .* done again: sample, .*\n.*\n.*--until report"):
        genaudio.run(changed, run, only=["report"], force=True, quiet=True)
    assert not (run / "previous").exists()
    assert_same_result(run, finished)
    more = genaudio.load_recipe(tiny_recipe, ["training.steps=1000"])
    with pytest.raises(RunError, match="sample cannot start: train is not finished"):
        genaudio.run(more, run, only=["sample"], force=True, quiet=True)
    assert (run / "model/model.json").exists()


def test_a_stage_that_says_how_to_go_on_is_told_of_once(finished, tiny_recipe, tmp_path, monkeypatch):
    run = shutil.copytree(finished, tmp_path / "run")
    RunDirectory(run).put_aside("audit", run / "audit")

    def stopped(context):
        raise Interrupted("the audit stopped; nothing is written", mend="give it again")

    monkeypatch.setattr(stages, "RUNNERS", {**stages.RUNNERS, "audit": stopped})
    with pytest.raises(Interrupted) as caught:
        genaudio.run(tiny_recipe, run, quiet=True)
    assert str(caught.value).count("mend") == 1
    assert str(caught.value).startswith("the audit stopped; nothing is written\n    mend      go on with the same")


def test_only_and_until(tiny_recipe, tmp_path):
    with pytest.raises(RunError, match=r"stage sample cannot start: train is not finished.*\n.*\n.*--until sample"):
        genaudio.run(tiny_recipe, tmp_path / "run", only=["sample"], quiet=True)
    run = genaudio.run(tiny_recipe, tmp_path / "run", until="train", quiet=True)
    assert (run / "model").is_dir()
    assert not (run / "samples").exists()
    genaudio.run(tiny_recipe, run, only=["sample"], quiet=True)
    assert (run / "samples").is_dir()
    assert not (run / "report.html").exists()
    with pytest.raises(RunError, match=r"did you mean 'sample'"):
        genaudio.run(tiny_recipe, run, only=["samples"], quiet=True)


def test_a_run_directory_that_cannot_be_locked_is_named(tiny_recipe, tmp_path):
    (tmp_path / "run/.lock").mkdir(parents=True)
    with pytest.raises(
        RunError, match=r"run directory .*/run: .*\n    expected  a folder that can be written to\n.*--out"
    ):
        genaudio.run(tiny_recipe, tmp_path / "run", quiet=True)


def test_one_process_a_run(tiny_recipe, tmp_path):
    with RunDirectory(tmp_path / "run").lock(), pytest.raises(RunError, match="in use by another process"):
        genaudio.run(tiny_recipe, tmp_path / "run", quiet=True)


def test_a_loss_that_is_not_finite_stops_with_the_batch(tiny_recipe, tmp_path):
    recipe = genaudio.load_recipe(
        tiny_recipe, ["training.learning_rate=1e30", "training.gradient_clip=null", "training.warmup_steps=0"]
    )
    with pytest.raises(RunError, match=r"of step \d+ is (nan|inf); its batch: .*procedural") as error:
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert "lower training.learning_rate" in str(error.value)


def test_an_unconditional_run_writes_unlabelled_clips(tiny_recipe, tmp_path):
    recipe = genaudio.load_recipe(tiny_recipe, ["conditioner=null", "training.steps=2"])
    run = genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert sorted(p.name for p in (run / "samples/unlabelled").iterdir()) == ["0000.wav", "0001.wav"]


def test_force_with_a_recipe_that_cannot_work_harms_nothing(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for override in ("device=cuda:77", "dataset={type: fsdd, root: nowhere}"):
        broken = genaudio.load_recipe(tiny_recipe, [override])
        with pytest.raises(genaudio.GenaudioError, match=r"cuda:77|nowhere"):
            genaudio.run(broken, run, force=True, quiet=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_recipe_that_never_worked_may_be_mended_in_place(tiny_recipe, tmp_path):
    broken = genaudio.load_recipe(tiny_recipe, ["device=cuda:77"])
    with pytest.raises(genaudio.GenaudioError, match="cuda:77"):
        genaudio.run(broken, tmp_path / "run", quiet=True)
    genaudio.run(tiny_recipe, tmp_path / "run", until="train", quiet=True)


def test_results_that_were_removed_are_made_again(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    for folder in ("model", "samples"):
        shutil.rmtree(run / folder)
    genaudio.run(tiny_recipe, run, quiet=True)
    assert_same_result(run, finished)


def test_a_kill_between_the_samples_and_their_record_is_made_good(finished, tiny_recipe, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    del record["stages"]["sample"]
    (run / "run.json").write_text(json.dumps(record))
    written = (run / "samples/manifest.json").stat().st_mtime_ns
    genaudio.run(tiny_recipe, run, quiet=True)
    assert (run / "samples/manifest.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda run: (run / "run.json").write_text('{"format": 1}'), "run.json has an unknown format"),
        (lambda run: (run / "run.json").write_text("{"), "run.json is not JSON"),
        (lambda run: (run / "samples/manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda run: next((run / "samples").rglob("*.wav")).unlink(), r"\.wav cannot be read"),
    ],
)
def test_a_damaged_run_is_an_error_that_names_the_file(finished, tiny_recipe, tmp_path, harm, message):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "report.html").unlink()
    harm(run)
    with pytest.raises(RunError, match=message):
        genaudio.run(tiny_recipe, run, quiet=True)


def test_guidance_without_classes_is_left_out(tiny_recipe, tmp_path):
    overrides = [write_tones(tmp_path / "s", "."), "guidance={type: cfg, scale: 3.0}", "training.steps=2"]
    run = genaudio.run(genaudio.load_recipe(tiny_recipe, overrides), tmp_path / "run", until="sample", quiet=True)
    assert json.loads((run / "samples/manifest.json").read_text())["guidance"] is None
