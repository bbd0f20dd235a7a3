from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from tests.conftest import gen


def test_run_prints_the_report_and_a_second_run_skips_everything(tiny_recipe, tiny_run, tmp_path, capsys):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert gen("run", tiny_recipe, "--out", run) == 0
    out, err = capsys.readouterr()
    assert out == f"{run}/report.html\n"
    stages = ("train", "sample", "evaluate", "audit", "report")
    assert err.splitlines() == [f"{stage}: done before" for stage in stages]


def test_run_in_the_default_directory_is_named_after_the_recipe(tiny_recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gen("run", tiny_recipe, "--until", "train", "--set", "training.steps=2", "--quiet") == 0
    assert capsys.readouterr().out == "runs/tiny\n"
    assert (tmp_path / "runs/tiny/model/model.json").exists()


def test_run_refuses_a_changed_recipe_without_a_traceback(tiny_recipe, tiny_run, capsys):
    assert gen("run", tiny_recipe, "--out", tiny_run, "--set", "seed=8") == 2
    err = capsys.readouterr().err
    assert "seed: 7 -> 8" in err
    assert "Traceback" not in err


def test_run_into_a_file_is_refused(tiny_recipe, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert gen("run", tiny_recipe, "--out", tmp_path / "file") == 2
    assert "choose another with --out" in capsys.readouterr().err


def test_sample_writes_labelled_clips_and_their_manifest(tiny_run, tmp_path, capsys):
    out = tmp_path / "clips"
    words = ("--label", "rain", "--count", 3, "--out", out, "--nfe", 4, "--seed", 5, "--format", "flac", "--quiet")
    assert gen("sample", tiny_run, *words) == 0
    assert capsys.readouterr().out == f"{out}\n"
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["seed"], manifest["evaluations"], manifest["solver"]["type"]) == (5, 4, "exponential_integrator")
    assert [clip["file"] for clip in manifest["clips"]] == [f"rain/000{i}.flac" for i in range(3)]
    assert all(clip["label"] == "rain" and clip["seed"] > 0 for clip in manifest["clips"])
    assert soundfile.info(out / "rain/0002.flac").frames == 1000


def test_sample_with_another_sampler_from_an_exported_model(tiny_run, tmp_path, capsys):
    assert gen("export", tiny_run, "--out", tmp_path / "model") == 0
    words = ("--count", 1, "--out", tmp_path / "clips", "--set", "solver=heun", "--set", "guidance=cfg", "--quiet")
    assert gen("sample", tmp_path / "model", *words, "--set", "guidance.scale=2.5", "--num-steps", 2) == 0
    manifest = json.loads((tmp_path / "clips/manifest.json").read_text())
    assert manifest["solver"]["type"] == "heun"
    assert manifest["guidance"] == {"type": "cfg", "scale": 2.5}
    assert (manifest["num_steps"], manifest["evaluations"]) == (2, 3)
    assert [clip["label"] for clip in manifest["clips"]] == ["metal", "rain"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--label", "rian"), "did you mean 'rain'?"),
        (("--set", "solver=hun"), "did you mean 'heun'?"),
        (("--set", "solver.orderr=2"), "orderr"),
        (("--set", "network.channels=4"), "the rest of a trained model cannot change"),
        (("--nfe", "4", "--num-steps", "4"), "both nfe and num_steps are given"),
        (("--bit-depth", "8"), "16 or 24"),
        (("--device", "cuda:7"), "device"),
        (("--device", "gpu"), "device"),
    ],
)
def test_sample_mistakes(tiny_run, tmp_path, capsys, words, message):
    assert gen("sample", tiny_run, "--out", tmp_path / "clips", *words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "clips").exists()


def test_sample_says_how_many_clips_are_too_loud_or_silent(tiny_run, tmp_path, capsys):
    words = ("--label", "rain", "--count", 2, "--set", "guidance=cfg", "--set", "guidance.scale=1e8")
    assert gen("sample", tiny_run, "--out", tmp_path / "clips", *words) == 0
    assert "sample: 2 of 2 clips peaked above full scale: turned down" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "clips/manifest.json").read_text())
    assert [clip["gain_db"] < 0 for clip in manifest["clips"]] == [True, True]


def test_export_overwrites_nothing(tiny_run, tmp_path, capsys):
    assert gen("export", tiny_run, "--out", tmp_path) == 2
    assert "a path where nothing is" in capsys.readouterr().err


def test_sample_of_a_folder_without_a_model(tmp_path, capsys):
    assert gen("sample", tmp_path, "--out", tmp_path / "clips") == 2
    assert "holds no model" in capsys.readouterr().err


def test_ctrl_c_in_a_terminal_ends_with_130_and_says_how_to_go_on(tiny_recipe, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "genaudio", "run", tiny_recipe, "--out", run, "--set", "training.steps=100000"]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        metrics = Path(run) / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not (metrics.exists() and metrics.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with the same command, or: gen run" in err
    assert "Traceback" not in err
    assert list((run / "checkpoints").glob("step-*"))
