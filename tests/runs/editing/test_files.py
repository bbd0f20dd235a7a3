"""Edits on disk, through the commands: files, manifest, page, going on after a stop, noise files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import soundfile
import torch

from genaudio.core.errors import RunError
from genaudio.runs.editing.noise_file import NoiseSource, read_noise, write_noise
from tests.conftest import gen


@pytest.fixture
def sound(tmp_path: Path, clip: torch.Tensor) -> Path:
    path = tmp_path / "ping.wav"
    soundfile.write(path, clip.T.numpy(), 8000, subtype="PCM_16")
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}


def test_vary_writes_variations_the_original_a_manifest_and_a_page(tiny_run, sound, tmp_path, model, capsys):
    out = tmp_path / "varied"
    words = ("--label", "rain", "--strength", 0.6, "--count", 3, "--seed", 4, "--num-steps", 6, "--out", out, "-q")
    assert gen("vary", tiny_run, sound, *words) == 0
    assert capsys.readouterr().out == f"{out}\n"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["edit"]["strength"] == 0.6
    assert manifest["edit"]["clip"]["file"] == "ping.wav"
    assert manifest["edit"]["sigma"] == pytest.approx(2 * model.sigma_data * math.tan(0.3 * math.pi))
    assert manifest["evaluations"] == manifest["num_steps"] < 6
    assert [entry["file"] for entry in manifest["clips"]] == [f"rain/000{k}.wav" for k in range(3)]
    original, _ = soundfile.read(out / manifest["original"]["file"], dtype="float32")
    waveform, _ = soundfile.read(sound, dtype="float32")
    assert (original == waveform).all()
    varied, _ = model.vary(waveform, 8000, 0.6, 3, "rain", 4, num_steps=6)
    for entry, made in zip(manifest["clips"], varied, strict=True):
        data, _ = soundfile.read(out / entry["file"], dtype="float32")
        assert abs(data - made[0].numpy() * 10 ** (entry["gain_db"] / 20)).max() < 2e-3
    page = (out / "index.html").read_text()
    assert page.count("<audio") == 4
    assert ">Original<" in page
    assert "original clip 1 of rain" in page
    assert "Training" not in page


def test_inpaint_keeps_the_bytes_outside_the_span(tiny_run, sound, tmp_path):
    out = tmp_path / "new"
    words = ("--label", "metal", "--span", "0.04:0.07", "--count", 2, "--num-steps", 3, "--resample", 2)
    assert gen("inpaint", tiny_run, sound, *words, "--out", out, "-q") == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["edit"] | {"clip": 0} == {
        "kind": "inpainting", "clip": 0, "spans": [[0.04, 0.07]], "bands": [], "resample": 2,
    }  # fmt: skip
    assert manifest["num_steps"] == 6
    waveform, _ = soundfile.read(sound, dtype="int16")
    for entry in manifest["clips"]:
        assert entry["gain_db"] == 0
        data, _ = soundfile.read(out / entry["file"], dtype="int16")
        assert (data[:320] == waveform[:320]).all()
        assert (data[560:] == waveform[560:]).all()
        assert (data[330:550] != waveform[330:550]).any()


def test_an_edit_that_was_stopped_goes_on_and_ends_the_same(tiny_run, sound, tmp_path, monkeypatch):
    import genaudio.runs.samples as samples

    words = ("vary", tiny_run, sound, "--label", "rain", "--num-steps", 4, "--count", 3, "-q", "--out")
    assert gen(*words, tmp_path / "whole") == 0
    write = samples.write_clip

    def stop_at_third(path, *rest):
        if path.stem == "0002":
            raise KeyboardInterrupt
        return write(path, *rest)

    monkeypatch.setattr(samples, "write_clip", stop_at_third)
    assert gen(*words, tmp_path / "stopped") == 130
    monkeypatch.undo()
    assert (tmp_path / ".stopped.partial/rain/0001.wav").exists()
    assert gen(*words, tmp_path / "stopped") == 0
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert gen(*words, tmp_path / "stopped") == 0  # done already
    assert gen(*words, tmp_path / "stopped", "--strength", 0.3) == 2  # another request


def test_invert_then_sample_gives_the_clip_back(tiny_run, sound, tmp_path, capsys):
    noise = tmp_path / "ping.safetensors"
    assert gen("invert", tiny_run, sound, "--label", "metal", "--num-steps", 48, "--out", noise) == 0
    out, err = capsys.readouterr()
    assert out == f"{noise}\n"
    assert "standard deviation" in err
    _, made = read_noise(noise)
    assert (made["label"], made["num_steps"], made["solver"]["type"]) == ("metal", 48, "exponential_integrator")
    assert made["round_trip_db"] > 30
    assert gen("sample", tiny_run, "--noise", noise, "--out", tmp_path / "back", "-q") == 0
    manifest = json.loads((tmp_path / "back/manifest.json").read_text())
    assert manifest["num_steps"] == 48
    assert manifest["edit"]["made"] == made
    (entry,) = manifest["clips"]
    data, _ = soundfile.read(tmp_path / "back" / entry["file"], dtype="float32")
    waveform, _ = soundfile.read(sound, dtype="float32")
    assert 10 * math.log10((waveform**2).sum() / ((data - waveform) ** 2).sum()) > 30
    words = ("--noise", noise, "--label", "rain", "--label", "metal", "--num-steps", 3, "--set", "solver=heun", "-q")
    assert gen("sample", tiny_run, *words, "--out", tmp_path / "other") == 0
    other = json.loads((tmp_path / "other/manifest.json").read_text())
    assert [entry["label"] for entry in other["clips"]] == ["rain", "metal"]
    assert (other["solver"]["type"], other["num_steps"]) == ("heun", 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("vary", "--strength", 2, "--label", "rain"), "strength is 2.0"),
        (("vary",), "the model has classes"),
        (("vary", "--label", "rian"), "did you mean 'rain'?"),
        (("vary", "--label", "rain", "--start", 1), "a time in the clip"),
        (("inpaint", "--label", "rain"), "neither spans nor bands"),
        (("inpaint", "--label", "rain", "--span", "3"), "--span 0.2:0.5"),
        (("inpaint", "--label", "rain", "--band", "low:high"), "--band 1000:4000"),
        (("invert", "--label", "rain", "--set", "solver=heun", "--set", "solver.s_churn=9.0"), "cannot run backwards"),
    ],
)
def test_mistakes_on_the_command_line(tiny_run, sound, tmp_path, capsys, words, message):
    assert gen(words[0], tiny_run, sound, *words[1:], "--out", tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_mistakes_with_noise_files(tiny_run, sound, tmp_path, model, capsys):
    shape = model.representation.shape(1000)
    path = tmp_path / "noise.safetensors"
    write_noise(path, torch.zeros(2, *shape), {})
    with pytest.raises(RunError, match="a path where nothing is"):
        write_noise(path, torch.zeros(2, *shape), {})
    source = NoiseSource.of(model, path)
    assert (source.label, source.num_steps, len(source.noise)) == (None, None, 2)
    assert gen("sample", tiny_run, "--noise", path, "--count", 3, "--out", tmp_path / "out") == 2
    assert "the file makes 2 of each label" in capsys.readouterr().err
    assert gen("sample", tiny_run, "--noise", sound, "--out", tmp_path / "out") == 2
    assert "holds no noise" in capsys.readouterr().err
    for other, what in ((tmp_path / "none.safetensors", "is not there"), (tmp_path, "is a folder")):
        assert gen("sample", tiny_run, "--noise", other, "--out", tmp_path / "out") == 2
        assert f"{other} {what}\n    expected  a file that `gen invert` wrote" in capsys.readouterr().err
    assert gen("invert", tiny_run, sound, "--label", "rain", "--out", path) == 2
    assert "choose another with --out" in capsys.readouterr().err
