"""What a run says of its samples: the stage evaluate, measurements while training, the classifier that listens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
from safetensors.torch import load_file

import genaudio
from genaudio.core.errors import GenaudioError, RecipeError
from genaudio.evaluation.classifier import Classifier
from genaudio.runs.evaluating import evaluate
from genaudio.runs.evaluation.recipe import best_by, metrics_of
from genaudio.training.log import read_metrics
from tests.runs.evaluation.conftest import results_of, tiny


def measured(run: Path) -> dict[int, float]:
    return {int(row["step"]): row["metric/fad"] for row in read_metrics(run / "metrics.jsonl") if "metric/fad" in row}


def test_a_run_measures_its_samples_beside_its_training_clips(tiny_run: Path) -> None:
    results = results_of(tiny_run)
    (entry,) = results["metrics"]
    assert entry["name"] == "fad"
    assert entry["card"]["generated"] == 4
    assert entry["card"]["reference"] == 16
    assert results["reference"]["source"] == "procedural, train"
    assert entry["value"] >= 0
    page = (tiny_run / "report.html").read_text(encoding="utf-8")
    assert "<h2>Evaluation</h2>" in page
    assert "mel_statistics" in page


def test_another_metric_does_nothing_again_but_evaluate_and_what_follows(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = (run / "model/model.safetensors").stat().st_mtime_ns
    genaudio.run(tiny(tiny_recipe, "metric=kad"), run, force=True, quiet=True)
    assert [entry["metric"]["type"] for entry in results_of(run)["metrics"]] == ["kad"]
    assert (run / "model/model.safetensors").stat().st_mtime_ns == before
    assert results_of(run / "previous/001")["metrics"][0]["metric"]["type"] == "fad"


def test_what_cannot_be_measured_is_a_note_and_ends_no_run(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    genaudio.run(tiny(tiny_recipe, "metric=[fad, inception_score]"), run, force=True, quiet=True)
    results = results_of(run)
    assert [entry["name"] for entry in results["metrics"]] == ["fad"]
    assert any("inception_score" in note and "tells no classes apart" in note for note in results["notes"])
    assert "evaluation: inception_score" in (run / "report.html").read_text(encoding="utf-8")


def test_no_metric_is_no_evaluation(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    genaudio.run(tiny(tiny_recipe, "metric=null"), run, force=True, quiet=True)
    assert results_of(run)["metrics"] == []
    assert "<h2>Evaluation</h2>" not in (run / "report.html").read_text(encoding="utf-8")


def test_a_reference_that_is_not_there_is_said_before_training(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = tiny(tiny_recipe, f"evaluation.reference={tmp_path / 'real'}")
    with pytest.raises(GenaudioError, match="real is not there"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/checkpoints").exists()


def test_an_embedding_that_cannot_hear_the_clips_is_said_before_training(tiny_recipe: Path, tmp_path: Path) -> None:
    long = "dataset={type: procedural, sample_rate: 8000, duration: 1.0, classes: [metal, rain]}"
    no_weights = "embedding={type: vggish, weights: '" + str(tiny_recipe) + "'}"
    for changes, message in (
        ([long, no_weights], "tiny.yaml"),  # a file, and no weights
        ([no_weights], "0.125 s at 16000 Hz"),  # clips that are too short for it
    ):
        with pytest.raises(GenaudioError, match=message):
            genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run", quiet=True)
        assert not (tmp_path / "run/recipe.yaml").exists()


def test_where_nothing_is_held_out_mel_statistics_stand_in_for_a_classifier(
    tiny_recipe: Path, nothing_held_out: str, tmp_path: Path
) -> None:
    run = genaudio.run(tiny(tiny_recipe, nothing_held_out, "embedding=classifier"), tmp_path / "run", quiet=True)
    results = results_of(run)
    assert results["metrics"][0]["card"]["embedding"] == "mel_statistics"
    assert any("no clips are held out of training" in note for note in results["notes"])
    assert (run / "report.html").exists()


def test_a_folder_may_be_the_reference(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    genaudio.run(tiny(tiny_recipe, f"evaluation.reference={tiny_run}"), run, force=True, quiet=True)
    (entry,) = results_of(run)["metrics"]
    assert entry["card"]["reference"] == 4
    assert entry["value"] == pytest.approx(0, abs=1e-6)  # its own samples


def test_reference_statistics_may_be_named(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    statistics = tmp_path / "real.safetensors"
    embedding = "{type: mel_statistics, rate: 8000, bands: 4}"
    evaluate(tiny_run, tiny_recipe, metrics=["fad"], embedding=embedding, save_reference=statistics)
    run = shutil.copytree(tiny_run, tmp_path / "run")
    genaudio.run(tiny(tiny_recipe, f"evaluation.reference={statistics}"), run, force=True, quiet=True)
    results = results_of(run)
    assert results["metrics"][0]["card"]["reference"] == 1000  # of the dataset without end
    assert results["reference"]["source"] == str(statistics)
    for change, message in (("embedding.rate=16000", "16000"), ("embedding=classifier", "has yet to train")):
        recipe = tiny(tiny_recipe, f"evaluation.reference={statistics}", change)
        with pytest.raises(GenaudioError, match=message):
            genaudio.run(recipe, tmp_path / "other", quiet=True)
        assert not (tmp_path / "other/checkpoints").exists()


def test_the_best_weights_of_those_measured_become_the_model(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["evaluation.every=4", "evaluation.keep=best", "evaluation.clips_per_class=2"]
    run = genaudio.run(tiny(tiny_recipe, *changes, "metric=fad"), tmp_path / "run", until="train", quiet=True)
    found = measured(run)
    assert list(found) == [4, 8, 10]
    best = min(found, key=lambda step: found[step])
    assert genaudio.load(run).card["step"] == best
    kept, model = load_file(run / "checkpoints/best/ema.safetensors"), load_file(run / "model/model.safetensors")
    assert kept.keys() == model.keys()
    assert all(kept[name].equal(model[name]) for name in kept)
    record = json.loads((run / "run.json").read_text())["stages"]["train"]
    assert record["kept"] == {"step": best, "fad": found[best]}


def kept_by(run: Path) -> tuple[int, dict[str, Any]]:
    manifest = json.loads((run / "checkpoints/best/manifest.json").read_text())
    return manifest["step"], manifest["measured_by"]


def test_the_best_by_another_metric_is_chosen_anew_and_training_is_not_done_again(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["evaluation.every=4", "evaluation.keep=best", "evaluation.clips_per_class=2", "metric=fad"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run", until="train", quiet=True)
    step, facts = kept_by(run)
    assert facts["metric"]["type"] == "fad"
    assert facts["embedding"]["embedding"] == "mel_statistics"
    before = read_metrics(run / "metrics.jsonl")
    other = tiny(tiny_recipe, *changes[:-1], "metric={type: fad, frames: mean, by_class: true}")
    genaudio.run(other, run, force=True, until="train")
    said = " ".join(capsys.readouterr().err.split())
    left = sorted({step, 8, 10})  # the best, and the two checkpoints that a run keeps, 9 of which was never measured
    left.remove(8)
    assert "another metric" in said
    assert f"after step {', '.join(map(str, left))}" in said
    rows = read_metrics(run / "metrics.jsonl")
    assert [row["loss"] for row in rows if "loss" in row] == [row["loss"] for row in before if "loss" in row]
    values = measured(run)
    assert sorted(values) == left
    chosen = min(values, key=lambda step: values[step])
    assert kept_by(run)[0] == chosen == genaudio.load(run).card["step"]
    assert kept_by(run)[1]["metric"]["by_class"] is True
    genaudio.run(tiny(tiny_recipe, *changes[:-1], f"metric={other.to_mapping()['metric']}"), run, until="train")
    assert "another metric" not in capsys.readouterr().err  # nothing changed since


def test_another_reference_under_the_same_name_is_seen_when_a_run_goes_on(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    real = shutil.copytree(tiny_run / "samples", tmp_path / "real")
    (real / "manifest.json").unlink()
    changes = ["evaluation.every=4", "evaluation.clips_per_class=2", "metric=fad", f"evaluation.reference={real}"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run", until="train", quiet=True)
    first = kept_by(run)[1]
    sound, rate = soundfile.read(sorted(real.rglob("*.wav"))[0])
    soundfile.write(sorted(real.rglob("*.wav"))[0], 0.5 * sound, rate)
    genaudio.run(tiny(tiny_recipe, *changes, "training.steps=12"), run, until="train", force=True, quiet=True)
    second = kept_by(run)[1]
    assert first["reference"] != second["reference"]
    assert {key: first[key] for key in ("metric", "embedding")} == {key: second[key] for key in ("metric", "embedding")}


def test_the_last_weights_or_the_best_is_a_choice_that_trains_nothing(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["evaluation.every=4", "evaluation.clips_per_class=2", "metric=fad"]
    run = genaudio.run(tiny(tiny_recipe, *changes), tmp_path / "run", until="train", quiet=True)
    checkpoint = (run / "checkpoints/step-00000010/weights.safetensors").stat().st_mtime_ns
    assert genaudio.load(run).card["step"] == 10
    genaudio.run(tiny(tiny_recipe, *changes, "evaluation.keep=best"), run, until="train", force=True, quiet=True)
    assert genaudio.load(run).card["step"] == kept_by(run)[0]
    assert (run / "checkpoints/step-00000010/weights.safetensors").stat().st_mtime_ns == checkpoint


def test_measuring_on_the_way_moves_no_weight(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = tiny(tiny_recipe, "evaluation.every=5", "evaluation.clips_per_class=2", "metric=fad")
    run = genaudio.run(recipe, tmp_path / "run", until="train", quiet=True)
    ours, plain = (load_file(path / "model/model.safetensors") for path in (run, tiny_run))
    assert all(ours[name].equal(plain[name]) for name in plain)


def test_the_metric_to_choose_by_must_be_one_of_the_recipe(tiny_recipe: Path) -> None:
    recipe = tiny(tiny_recipe, "metric=[fad, kad]", "evaluation.every=5", "evaluation.best_by=kda")
    with pytest.raises(RecipeError, match=r"evaluation\.best_by\n +given +'kda'") as raised:
        best_by(recipe)
    assert "did you mean 'kad'?" in str(raised.value)
    assert best_by(tiny(tiny_recipe, "metric=[kad, fad]", "evaluation.every=5")) == "kad"
    with pytest.raises(RecipeError, match="metric is null"):
        best_by(tiny(tiny_recipe, "metric=null", "evaluation.every=5"))


def test_the_best_can_be_kept_only_of_what_is_measured(tiny_recipe: Path) -> None:
    with pytest.raises(RecipeError, match="every is null"):
        tiny(tiny_recipe, "evaluation.keep=best")


def test_metrics_are_named_by_type_and_those_of_one_type_by_what_differs(tiny_recipe: Path) -> None:
    assert list(metrics_of(tiny(tiny_recipe, "metric=[fad, {type: kad, scale: 1.0}]"))) == ["fad", "kad"]
    assert list(metrics_of(tiny(tiny_recipe, "metric=[kad, {type: kad, scale: 1.0}]"))) == ["kad", "kad scale=1.0"]


@pytest.mark.slow
def test_a_classifier_of_the_dataset_is_trained_once_and_listens(
    tiny_run: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    changes = ["embedding={type: classifier, steps: 5}", "metric=[{type: kad, draws: 5}, inception_score]"]
    genaudio.run(tiny(tiny_recipe, *changes), run, force=True, quiet=True)
    classifier = Classifier.load(run / "classifier")
    assert classifier.classes == ("metal", "rain")
    entries = results_of(run)["metrics"]
    assert {entry["card"]["weights_sha256"] for entry in entries} == {classifier.card["sha256"]}
    before = (run / "classifier/classifier.safetensors").stat().st_mtime_ns
    genaudio.run(tiny(tiny_recipe, *changes, "metric=inception_score"), run, force=True, quiet=True)
    assert (run / "classifier/classifier.safetensors").stat().st_mtime_ns == before
    genaudio.run(tiny(tiny_recipe, "embedding={type: classifier, steps: 6}", changes[1]), run, force=True, quiet=True)
    assert (run / "classifier/classifier.safetensors").stat().st_mtime_ns != before
