"""Metrics and embeddings that fail: told by name, and never the end of a run or of a training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import genaudio
from genaudio.core.errors import GenaudioError, PluginError
from genaudio.runs.evaluating import evaluate
from genaudio.training.log import read_metrics
from tests.runs.evaluation.conftest import results_of, tiny

EVERY = ["evaluation.every=5", "evaluation.clips_per_class=2"]
MEL = "{type: mel_statistics, rate: 8000, bands: 4}"


def again(tiny_run: Path, tiny_recipe: Path, folder: Path, *changes: str) -> dict[str, Any]:
    """The results of a run that is trained, after a change of its metrics."""
    run = shutil.copytree(tiny_run, folder / "run")
    genaudio.run(tiny(tiny_recipe, *changes), run, force=True, quiet=True)
    assert (run / "report.html").exists()
    return results_of(run)


@pytest.mark.usefixtures("faulty")
def test_a_value_that_is_no_number_is_a_note_and_no_point(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [*EVERY, "metric=[faulty/no_number, fad]", "evaluation.keep=best"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert "note: faulty/no_number of noise is no finite number" in said
    assert "note: after step 5, faulty/no_number is no finite number" in said
    assert "the model is that of the last step" in said
    rows = [row for row in read_metrics(run / "metrics.jsonl") if "metric/fad" in row]
    assert [row["step"] for row in rows] == [5, 10]
    assert not any("metric/faulty/no_number" in row for row in rows)
    assert genaudio.load(run).card["step"] == 10
    entry, fad = results_of(run)["metrics"]
    assert (entry["value"], entry["interval"], fad["name"]) == (None, [0.0, None], "fad")
    assert entry["card"]["size"] is None
    assert entry["card"]["notes"] == ["own", "the value is nan, no finite number"]
    assert "faulty/no_number: the value is nan" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("faulty")
def test_the_best_is_chosen_of_the_figures_that_there_are(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = [*EVERY, "evaluation.keep=best", "metric=[faulty/no_number, fad]"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run", until="train", quiet=True)
    assert not (run / "checkpoints/best").exists()
    genaudio.run(tiny(tiny_recipe, *changes, "evaluation.best_by=fad"), tmp_path / "fad", until="train", quiet=True)
    best = tmp_path / "fad/checkpoints/best/manifest.json"
    before = json.loads(best.read_text())
    # Where the metric to choose by finds nothing in the weights that are left, the best until then stays.
    genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "fad", until="train", force=True, quiet=True)
    assert json.loads(best.read_text()) == before


@pytest.mark.usefixtures("faulty")
def test_a_metric_that_fails_in_training_is_left_out_of_it(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [*EVERY, "metric=[faulty/of_noise, fad]"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "both", until="train")
    said = " ".join(capsys.readouterr().err.split())
    note = "the metric faulty/of_noise of faulty-plugin raised ValueError: not noise"
    assert f"note: after step 5, faulty/of_noise is left out: {note}" in said
    assert [row["step"] for row in read_metrics(run / "metrics.jsonl") if "metric/fad" in row] == [5, 10]
    run = genaudio.run(tiny(tiny_recipe, *EVERY, "metric=faulty/of_noise"), tmp_path / "alone", until="train")
    said = " ".join(capsys.readouterr().err.split())
    assert f"note: after step 10, nothing is measured: faulty/of_noise: {note}" in said
    assert "after step 10: no figures" in said
    assert not any(key.startswith("metric/") for row in read_metrics(run / "metrics.jsonl") for key in row)
    assert genaudio.load(run).card["step"] == 10


@pytest.mark.usefixtures("faulty")
def test_a_metric_that_raises_ends_no_run_and_is_named(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    metrics = "metric=[faulty/raises, fad, faulty/unwritable, faulty/hears]"
    results = again(tiny_run, tiny_recipe, tmp_path, metrics)
    assert [entry["name"] for entry in results["metrics"]] == ["fad"]
    notes = "\n".join(results["notes"])
    assert "faulty/raises is left out: the metric faulty/raises of faulty-plugin raised KeyError: 'gone'" in notes
    assert "the metric faulty/unwritable of faulty-plugin raised TypeError: Object of type Tensor" in notes
    assert "faulty/hears is left out: the embedding faulty/deaf of faulty-plugin raised KeyError: 'ears'" in notes


@pytest.mark.usefixtures("faulty")
def test_a_run_with_no_other_metric_ends_well_too(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    results = again(tiny_run, tiny_recipe, tmp_path, "metric=faulty/raises")
    assert results["metrics"] == []
    assert "the metric faulty/raises of faulty-plugin raised KeyError: 'gone'" in results["notes"][0]


@pytest.mark.usefixtures("faulty")
def test_evaluate_names_all_that_fail(tiny_run: Path) -> None:
    with pytest.raises(GenaudioError) as caught:
        evaluate(tiny_run, tiny_run, metrics=["faulty/raises", "fad", "faulty/unwritable"], embedding=MEL)
    assert [problem.path for problem in caught.value.problems] == ["faulty/raises", "faulty/unwritable"]
    assert "report this to the authors of faulty-plugin" in str(caught.value)
    assert isinstance(caught.value.__cause__, PluginError)  # what gen --debug shows
    assert isinstance(caught.value.__cause__.__cause__, KeyError)
    with pytest.raises(GenaudioError, match=r"faulty/deaf of faulty-plugin raised KeyError: 'ears'"):
        evaluate(tiny_run, tiny_run, metrics=["fad"], embedding="faulty/deaf")
    results = evaluate(tiny_run, tiny_run, metrics=["faulty/no_number"], embedding=MEL)
    assert results["metrics"][0]["value"] is None


@pytest.mark.usefixtures("faulty")
def test_a_metric_that_raises_is_told_before_training(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GenaudioError, match=r"metric.1\n +given +the metric faulty/raises of faulty-plugin raised Key"):
        genaudio.run(tiny(tiny_recipe, *EVERY, "metric=[fad, faulty/raises]"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/recipe.yaml").exists()
    genaudio.run(tiny(tiny_recipe, "metric=[fad, faulty/raises]"), tmp_path / "run", until="train")
    assert "note: faulty/raises will be left out: the metric faulty/raises" in capsys.readouterr().err


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("metric", ["metric=fad", "metric=null"])  # with none the audit hears alone
@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        ("faulty/no_numbers", "features of noise by the embedding faulty/no_numbers that are not finite"),
        ("{type: faulty/no_numbers, peaky: false}", "features of a training clip by the embedding faulty/no_numbers"),
        ("faulty/deaf", "the embedding faulty/deaf of faulty-plugin raised KeyError: 'ears'"),
    ],
)
def test_an_embedding_that_gives_no_numbers_is_told_before_training(
    tiny_recipe: Path, tmp_path: Path, metric: str, embedding: str, said: str
) -> None:
    recipe = tiny(tiny_recipe, f"embedding={embedding}", metric, "audit.enabled=true")
    with pytest.raises(GenaudioError) as caught:
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert caught.value.problems[0].path == "embedding"
    assert said in str(caught.value)
    assert not (tmp_path / "run/recipe.yaml").exists()
