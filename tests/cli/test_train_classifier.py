"""`gen train-classifier`: what it writes and prints, and what it refuses."""

from __future__ import annotations

import inspect
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.cli.train_classifier import train_classifier
from genaudio.core.errors import Interrupted
from genaudio.core.progress import Progress
from genaudio.evaluation.classifier import Classifier
from genaudio.evaluation.classifier_training import BATCH_SIZE, STEPS
from genaudio.runs.classifier import ClassifierRequest, dataset_of, make_classifier
from tests.conftest import gen


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Twelve tones a class in a folder of class folders."""
    monkeypatch.setenv("GENAUDIO_CACHE", str(tmp_path / "cache"))
    for label, pitch in (("low", 300), ("high", 2000)):
        path = tmp_path / "sounds" / label
        path.mkdir(parents=True)
        for number in range(12):
            wave = 0.5 * np.sin(2 * np.pi * (pitch + 10 * number) * np.arange(1600) / 8000)
            soundfile.write(path / f"{number}.wav", wave, 8000)
    return tmp_path / "sounds"


SMALL = ("--steps", 3, "--device", "cpu", "--set", "dataset.sample_rate=8000", "--set", "dataset.duration=0.2")


def test_a_folder_is_learned_and_the_card_says_how(folder, tmp_path, capsys):
    assert gen("train-classifier", folder, "--out", tmp_path / "out", "--seed", 5, *SMALL) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == str(tmp_path / "out")
    card = json.loads((tmp_path / "out" / "classifier.json").read_text())
    facts = card["facts"]
    assert (card["classes"], card["sample_rate"], facts["steps"], facts["seed"]) == (["high", "low"], 8000, 3, 5)
    assert facts["dataset"] | {"type": "folder", "root": str(folder), "duration": 0.2} == facts["dataset"]
    assert set(facts["versions"]) >= {"genaudio", "torch", "Python"}
    assert facts["seconds"] >= 0
    assert list(facts["held_out"]) == ["validation", "test"]
    for split, judged in facts["held_out"].items():
        assert list(judged["noisy"]) == ["40", "20", "10"]
        for found in (judged["clean"], *judged["noisy"].values()):
            confusion, overall = np.array(found["confusion"]), found["overall"]
            assert overall["successes"] == np.trace(confusion)
            assert overall["total"] == confusion.sum() > 0
            assert sum(rate["total"] for rate in found["by_class"].values()) == overall["total"]
            assert overall["interval_95"][0] <= overall["value"] <= overall["interval_95"][1]
        assert any(line.startswith(split) and "20 dB" in line for line in out)
    assert (
        sum(judged["clean"]["overall"]["total"] for judged in facts["held_out"].values())
        == 24 - facts["training_clips"]
    )


def test_a_recipe_gives_its_dataset_and_json_the_facts(tiny_recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gen("train-classifier", tiny_recipe, "--steps", 2, "--device", "cpu", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dataset"]["type"] == "procedural"
    assert facts["held_out"]["test"]["clean"]["overall"]["total"] == 1000
    assert Classifier.load(Path("classifiers/tiny")).classes == ("metal", "rain")


def test_the_same_seed_writes_the_same_weights(folder, tmp_path):
    dataset = dataset_of(folder, ("dataset.sample_rate=8000", "dataset.duration=0.2"))[1]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_classifier(dataset, tmp_path / name, ClassifierRequest(steps=2, seed=seed, device="cpu", snrs=()))
    first, second, other = (json.loads((tmp_path / n / "classifier.json").read_text())["sha256"] for n in "abc")
    assert first == second != other


def test_ctrl_c_writes_nothing(folder, tmp_path):
    class Impatient(Progress):
        def update(self, done: float, **facts: str) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    dataset = dataset_of(folder, ("dataset.sample_rate=8000", "dataset.duration=0.2"))[1]
    with pytest.raises(Interrupted, match="nothing is written"):
        make_classifier(dataset, tmp_path / "out", ClassifierRequest(steps=9, device="cpu"), Impatient())
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_the_help_names_the_default():
    steps = inspect.signature(train_classifier, eval_str=True).parameters["steps"].annotation.__metadata__[0]
    assert f"Batches of {BATCH_SIZE} clips" in steps.help
    assert f"Default: {STEPS}." in steps.help


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{tmp}/no.yaml",), "no.yaml"),
        (("{tmp}/empty",), "no audio files"),
        (("{folder}/low",), "have no classes"),
        (("{folder}", "--out", "{folder}"), "is not empty"),
        (("{folder}", "--set", "dataset.labels=false"), "have no classes"),
        (("{folder}", "--set", "dataset.validation_share=0", "--set", "dataset.test_share=0"), "no clips are held out"),
        (("{folder}", "--set", "training.steps=3"), "a value of the dataset"),
        (("{folder}", "--set", "dataset.duratoin=3"), "did you mean 'duration'?"),
        (("{folder}", "--set", "dataset=null"), "dataset"),
        (("{folder}", "--device", "tpu"), "device 'tpu'"),
        (("{folder}", "--steps", 0), "--steps"),
    ],
)
def test_mistakes(folder, tmp_path, capsys, words, message):
    (tmp_path / "empty").mkdir()
    given = [str(word).format(tmp=tmp_path, folder=folder) for word in words]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    assert gen("train-classifier", *given) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there_is_told_from_a_recipe(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gen("train-classifier", "soundz") == 2
    assert capsys.readouterr().err == (
        "soundz does not exist\n"
        "    expected  a folder with a sub-folder of sound files for each class, or a recipe file\n"
        "    mend      did you mean 'sounds'?\n"
    )
    assert gen("train-classifier", "x/y") == 2
    assert "x does not exist either" in capsys.readouterr().err
    assert gen("train-classifier", "qqqq") == 2
    assert "folders and recipes in .: " in capsys.readouterr().err
    assert gen("train-classifier", "qqqq.yaml") == 2
    assert "expected  a recipe file" in capsys.readouterr().err
