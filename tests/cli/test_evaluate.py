"""`gen evaluate` end to end, on small sounds that are made here and on the tiny run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.evaluation.reference_statistics import load_statistics
from tests.conftest import gen

RATE = 8000


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "cache"))


def noises(folder: Path, level: float, seed: int, each: int = 8, rate: int = RATE) -> Path:
    """Two classes: noise, and noise that was smoothed; `level` of white noise on both."""
    random = np.random.default_rng(seed)
    for label, width in (("hiss", 1), ("rumble", 32)):
        (folder / label).mkdir(parents=True)
        for take in range(each):
            sound = np.convolve(random.standard_normal(2000), np.ones(width) / width, "same")
            sound += level * random.standard_normal(2000)
            soundfile.write(folder / label / f"{take}.wav", 0.1 * sound, rate, subtype="FLOAT")
    return folder


@pytest.fixture
def real(tmp_path):
    return noises(tmp_path / "real", 0.0, seed=1)


def values(path: Path) -> dict[str, float]:
    return {entry["name"]: entry["value"] for entry in json.loads(path.read_text())["metrics"]}


def test_noise_makes_every_default_figure_worse(real, tmp_path, capsys):
    found = []
    for level in (0.0, 0.1, 1.0):
        generated = noises(tmp_path / str(level), level, seed=2)
        file = tmp_path / "results" / f"{level}.json"
        assert gen("evaluate", "--generated", generated, "--reference", real, "--json", file, "--device", "cpu") == 0
        found.append(values(file))
    assert list(found[0]) == ["fad", "kad"]
    for name in found[0]:
        clean, little, much = (values[name] for values in found)
        assert clean < little < much
    out, err = capsys.readouterr()
    assert "mel_statistics hears the 16 clips of" in err
    assert "too little to rank models by" in out
    assert f"{found[2]['fad']:.4g}" in out


def test_a_second_evaluation_says_the_same_and_quiet_says_nothing(real, tmp_path, capsys):
    generated = noises(tmp_path / "generated", 0.1, seed=2)
    words = ("evaluate", "--generated", generated, "--reference", real, "--quiet", "--json")
    for name in ("1.json", "2.json"):
        assert gen(*words, tmp_path / name) == 0
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert capsys.readouterr() == ("", "")


def test_saved_statistics_stand_for_the_reference_and_bring_their_embedding(real, tmp_path):
    generated = noises(tmp_path / "generated", 0.1, seed=2)
    statistics = tmp_path / "real.safetensors"
    metrics = ("--metric", "{type: fad, draws: 5}", "--metric", "{type: kad, draws: 5}", "--metric", "coverage")
    words = ("evaluate", "--generated", generated, *metrics, "--quiet", "--json")
    embedding = ("--embedding", "{type: mel_statistics, rate: 8000, bands: 6}")
    assert gen(*words, tmp_path / "1.json", "--reference", real, *embedding, "--save-reference", statistics) == 0
    assert load_statistics(statistics).labels == ("hiss",) * 8 + ("rumble",) * 8
    assert gen(*words, tmp_path / "2.json", "--reference", statistics) == 0
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("1.json", "2.json"))
    assert one["metrics"] == other["metrics"]
    assert [entry["name"] for entry in one["metrics"]] == ["fad draws=5", "kad draws=5", "coverage"]
    assert other["reference"] == {**one["reference"], "source": str(statistics)}


def test_a_run_beside_the_dataset_of_its_own_recipe(tiny_run, tmp_path):
    file = tmp_path / "results.json"
    words = ("--generated", tiny_run, "--reference", tiny_run / "recipe.yaml", "--json", file)
    assert gen("evaluate", *words, "--split", "test", "--metric", "{type: fad, draws: 0}") == 0
    results = json.loads(file.read_text())
    assert results["generated"]["source"] == str(tiny_run / "samples")
    assert results["generated"]["clips"] == 4
    assert (results["reference"]["source"], results["reference"]["clips"]) == ("procedural, test", 1000)
    assert results["metrics"][0]["card"]["embedding_fields"]["rate"] == 8000  # the clips' own


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--generated", "{tmp}/nowhere", "--reference", "{real}"), "nowhere is not there"),
        (("--generated", "{real}", "--reference", "{tmp}/nowhere"), "nowhere is not there"),
        (("--generated", "{real}", "--reference", "{tmp}/nowhere.yaml"), "nowhere.yaml"),
        (("--generated", "{real}", "--reference", "{tmp}/no.safetensors"), "no.safetensors is not there"),
        (("--generated", "{real}"), "give --reference DIR"),
        (("--generated", "{real}", "--reference", "{real}", "--metric", "kda"), "did you mean 'kad'?"),
        (("--generated", "{real}", "--reference", "{real}", "--metric", "{{type: fad, drawn: 3}}"), "'draws'?"),
        (("--generated", "{real}", "--reference", "{real}", "--metric", "[fad]"), "a metric's name, or a mapping"),
        (("--generated", "{real}", "--reference", "{real}", "--embedding", "mel"), "mel_statistics"),
        (("--generated", "{real}", "--reference", "{real}", "--metric", "kl"), "tells no classes apart"),
        (("--generated", "{real}", "--reference", "{real}", "--metric", "clap_score"), "reads no text"),
        (("--generated", "{one}", "--reference", "{real}", "--metric", "fad"), "one row"),
        (("--generated", "{real}", "--reference", "{real}", "--split", "test"), "leave --split out"),
        (("--generated", "{real}", "--reference", "{real}", "--save-reference", "{tmp}/x.pt"), "a file x.safetensors"),
        (("--generated", "{real}", "--reference", "{real}", "--json", "{tmp}"), "is a folder"),
        (("--generated", "{real}", "--reference", "{real}", "--device", "cuda:99"), "device 'cuda:99'"),
        (("--generated", "{real}", "--reference", "{bad}"), "bad/x.wav: unreadable"),
        (("--generated", "{real}", "--save-reference", "{tmp}/x.safetensors"), "give --reference"),
    ],
)
def test_mistakes_are_one_clear_error(real, tmp_path, capsys, words, message):
    noises(tmp_path / "one", 0, seed=3, each=1)
    (tmp_path / "one" / "hiss" / "0.wav").unlink()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.wav").write_bytes(b"none")
    places = {"tmp": tmp_path, "real": real, "one": tmp_path / "one", "bad": tmp_path / "bad"}
    before = sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts)
    assert gen("evaluate", *(word.format(**places) for word in words)) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts) == before


def test_statistics_of_another_embedding_and_damaged_ones(real, tmp_path, capsys):
    statistics = tmp_path / "real.safetensors"
    words = ("evaluate", "--generated", real, "--metric", "fad", "--quiet")
    assert gen(*words, "--reference", real, "--save-reference", statistics) == 0
    assert gen(*words, "--reference", statistics, "--embedding", "{type: mel_statistics, rate: 16000}") == 2
    assert "fields rate 8000" in capsys.readouterr().err
    statistics.write_bytes(statistics.read_bytes()[:-100])
    assert gen(*words, "--reference", statistics) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_clips_of_other_rates_are_compared_with_a_note(real, tmp_path, capsys):
    generated = noises(tmp_path / "fast", 0.0, seed=2, rate=2 * RATE)
    assert gen("evaluate", "--generated", generated, "--reference", real, "--metric", "{type: fad, draws: 0}") == 0
    out = capsys.readouterr().out
    assert "generated clips are at 16000 Hz, the reference at 8000 Hz" in out
    assert "generated clips last 0.12 s in the mean, those of the reference 0.25 s" in out
