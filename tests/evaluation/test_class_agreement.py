from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import soundfile

from genaudio.core.errors import RunError
from genaudio.datasets.base import Clips
from genaudio.evaluation.classifier import Classifier

RECIPE = """
name: made-up
dataset: {type: procedural, duration: 0.25, classes: [rain, metal]}
solver: {type: euler}
"""


@pytest.fixture(scope="module")
def benchmark_script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "class_agreement.py"
    spec = importlib.util.spec_from_file_location("class_agreement", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_samples(folder: Path, clips: Clips, labels: list[str | None]) -> dict[str, Any]:
    entries = []
    for index, label in enumerate(labels):
        file = folder / f"{index:03}.wav"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, clips.clip(index, 0).waveform.T.numpy(), clips.sample_rate)
        entries.append({"file": file.name, "label": label})
    manifest = {"sample_rate": clips.sample_rate, "clips": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def test_a_generated_clip_counts_under_the_class_it_was_asked_for(
    benchmark_script: ModuleType, trained: Classifier, tones: Callable[..., Clips], tmp_path: Path
) -> None:
    # The clips sound low, middle, high, low, middle, high; the fourth was asked for as "high", the last for nothing.
    manifest = write_samples(tmp_path, tones(), ["low", "middle", "high", "high", "middle", None])
    result = benchmark_script.generated_agreement(trained, tmp_path, manifest)
    assert result.classes == ("low", "middle", "high")
    assert result.confusion.tolist() == [[1, 0, 0], [0, 2, 0], [1, 0, 1]]


def test_clips_that_cannot_be_compared_are_refused(
    benchmark_script: ModuleType, trained: Classifier, tones: Callable[..., Clips], tmp_path: Path
) -> None:
    unlabelled = write_samples(tmp_path, tones(), [None, None])
    with pytest.raises(RunError, match="none of the 2 clips"):
        benchmark_script.generated_agreement(trained, tmp_path, unlabelled)
    with pytest.raises(RunError, match="at 44100 Hz"):
        benchmark_script.generated_agreement(trained, tmp_path, unlabelled | {"sample_rate": 44100})
    with pytest.raises(RunError, match="class drum"):
        benchmark_script.generated_agreement(trained, tmp_path, write_samples(tmp_path, tones(), ["drum"]))


def test_a_run_directory_is_measured_and_the_classifier_kept(
    benchmark_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import genaudio

    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text(RECIPE)
    clips = genaudio.load_recipe(run / "recipe.yaml").dataset.open("test")
    write_samples(run / "samples", clips, ["metal", "rain"] * 3)
    kept, output = tmp_path / "classifier", tmp_path / "result.json"
    arguments = [str(run), "--steps", "4", "--count", "10", "--classifier", str(kept), "--json", str(output)]
    assert benchmark_script.main(arguments) == 0
    text = capsys.readouterr().out
    assert "chance" in text
    assert "50.0%" in text
    result = json.loads(output.read_text())
    assert result["real"]["split"] == "validation"
    assert result["real"]["overall"]["total"] == 10
    assert result["generated"]["overall"]["total"] == 6
    assert result["generated"]["chance"] == 0.5
    assert {name: rate["total"] for name, rate in result["generated"]["by_class"].items()} == {"metal": 3, "rain": 3}
    assert benchmark_script.main(arguments) == 0  # with the classifier from before: the same figures
    assert json.loads(output.read_text()) == result


def test_what_is_not_a_run_directory_is_said(
    benchmark_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark_script.main([str(tmp_path)]) == 1
    assert "recipe.yaml is not there" in capsys.readouterr().err
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert benchmark_script.main([str(tmp_path)]) == 1
    assert "manifest.json" in capsys.readouterr().err
