"""What is wrong with a recipe's evaluation is said before training, with the place where it was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import genaudio
from genaudio.core.errors import GenaudioError, RecipeError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.reference_statistics import save_statistics
from genaudio.runs.evaluating import evaluate
from genaudio.runs.evaluation.checks import check_recipe
from tests.runs.evaluation.conftest import tiny

CLASSIFIER = "embedding={type: classifier, steps: 5}"


def refused(recipe: genaudio.Recipe, run: Path) -> str:
    """What a run says of a recipe that it does not begin with."""
    with pytest.raises(GenaudioError) as raised:
        genaudio.run(recipe, run, quiet=True)
    assert not (run / "recipe.yaml").exists()
    return str(raised.value)


def check(path: Path, *words: str, command: str = "check") -> tuple[int, str]:
    """The exit status of `gen check`, or of another command, and what it says of a recipe."""
    done = subprocess.run(
        [sys.executable, "-m", "genaudio", command, str(path), *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_a_sound_recipe_is_sound(tiny_recipe: Path) -> None:
    assert check_recipe(tiny(tiny_recipe)) == []
    assert check_recipe(tiny(tiny_recipe, CLASSIFIER, "metric=inception_score", "evaluation.every=5")) == []


def test_check_says_of_a_reference_what_run_says_and_where_it_stands(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    text = tiny_recipe.read_text()
    recipe.write_text(text.replace("reference_clips: 16", f"reference: {tmp_path / 'real'}"))
    line = 1 + [line.startswith("evaluation:") for line in text.splitlines()].index(True)
    code, said = check(recipe)
    assert code == 2
    assert f"{recipe}:{line}:25  evaluation.reference" in said
    assert "real is not there" in said
    assert "real is not there" in refused(tiny(recipe), tmp_path / "run")
    assert check(recipe, "--out", str(tmp_path / "run"), "--quiet", command="run") == (2, said)


def test_check_says_that_statistics_are_of_another_embedding(tiny_run: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    statistics = tmp_path / "real.safetensors"
    embedding = "{type: mel_statistics, rate: 8000, bands: 4}"
    evaluate(tiny_run, tiny_run, metrics=["fad"], embedding=embedding, save_reference=statistics)
    assert check_recipe(tiny(tiny_recipe, f"evaluation.reference={statistics}")) == []
    code, said = check(tiny_recipe, "--set", f"evaluation.reference={statistics}", "--set", "embedding.bands=5")
    assert code == 2
    assert said.startswith(f"--set evaluation.reference={statistics}  evaluation.reference\n")
    assert "bands 4" in said
    assert f"mend      write embedding: {embedding}, or make the statistics anew with the recipe's embedding" in said
    assert check(tiny_recipe, "--set", f"evaluation.reference={statistics}", "--set", f"embedding={embedding}")[0] == 0
    with pytest.raises(RecipeError, match="has yet to train") as raised:
        check_recipe(tiny(tiny_recipe, f"evaluation.reference={statistics}", CLASSIFIER))
    assert f"write embedding: {embedding}, or" in str(raised.value)


def test_statistics_of_an_embedding_that_is_not_installed_are_told_with_all_its_fields(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    statistics = tmp_path / "real.safetensors"
    card = {"embedding": "other/hears", "embedding_fields": {"rate": 8000, "kind": "no"}}
    save_statistics(statistics, FeatureSet.of(torch.eye(3), card=card))
    with pytest.raises(RecipeError, match=r'write embedding: \{type: other/hears, rate: 8000, kind: "no"\}, or make'):
        check_recipe(tiny(tiny_recipe, f"evaluation.reference={statistics}"))


def test_a_metric_that_its_embedding_cannot_serve_is_an_error_where_training_needs_it(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    metrics = "metric=[fad, inception_score, clap_score]"
    left_out = check_recipe(tiny(tiny_recipe, metrics))
    assert [problem.path for problem in left_out] == ["metric.1", "metric.2"]
    assert "inception_score will be left out: the embedding mel_statistics tells no classes apart" in str(left_out[0])
    with pytest.raises(RecipeError, match="tells no classes apart") as raised:
        check_recipe(tiny(tiny_recipe, metrics, "evaluation.every=5"))
    assert "reads no text" in str(raised.value)
    wrong = [metrics, "evaluation.every=5", "evaluation.best_by=kda", f"evaluation.reference={tmp_path / 'nothing'}"]
    with pytest.raises(RecipeError) as raised:
        check_recipe(tiny(tiny_recipe, *wrong))
    places = [problem.path for problem in raised.value.problems]
    assert places == ["evaluation.best_by", "evaluation.reference", "metric.1", "metric.2"]
    recipe = tmp_path / "r.yaml"
    recipe.write_text(tiny_recipe.read_text().replace("{type: fad, draws: 10}", "[fad, kl]") + "# the end\n")
    assert f"{recipe}:20:15  metric.1" in check(recipe)[1]
    assert check(recipe)[0] == 0
    assert check(recipe, "--set", "evaluation.every=5")[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["metric=kad", "evaluation.clips_per_class=1"], "2 clips for `kad`; an evaluation while training has 2 clips"),
        (["metric=[fad, fad_infinity]", "evaluation.clips_per_class=3"], "FAD-infinity of 6 rows of"),
        ([CLASSIFIER, "metric=inception_score", "evaluation.clips_per_class=1"], "2 clips for `inception_score`"),
        ([CLASSIFIER, "metric=kl"], "no real one of their name"),
        (["metric={type: fad, by_class: true}", "sampling.labels=[rain]"], "differ in metal"),
        (["metric={type: fad, by_class: true}", "conditioner=null"], "clips without a class"),
    ],
)
def test_what_an_evaluation_while_training_lacks_is_said_before_it(
    tiny_recipe: Path, tmp_path: Path, changes: list[str], message: str
) -> None:
    said = refused(tiny(tiny_recipe, "evaluation.every=5", *changes), tmp_path / "run")
    assert message in said
    assert said.startswith("metric")


def test_where_nothing_is_held_out_a_metric_of_classes_is_refused(
    tiny_recipe: Path, nothing_held_out: str, tmp_path: Path
) -> None:
    changes = [nothing_held_out, CLASSIFIER, "metric=inception_score", "evaluation.every=5"]
    said = refused(tiny(tiny_recipe, *changes), tmp_path / "run")
    assert "there will be no classifier: no clips are held out of training" in said
    assert "mel_statistics tells no classes apart" in said


def test_what_the_evaluation_after_training_will_leave_out_is_said_before_it(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny(tiny_recipe, "metric=[fad, kad]", "sampling.clips_per_class=1")
    genaudio.run(recipe, tmp_path / "run", until="train")
    said = capsys.readouterr().err
    assert said.index("note: kad will be left out: 2 clips for `kad`") < said.index("train: 0.0")
    assert "fad will be left out" not in said
