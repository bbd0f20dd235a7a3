"""Tuned schedules of a trained model: found in its folder, exported with it, refused where they do not belong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genaudio
from genaudio.core.errors import RunError
from genaudio.runs.model import Model, load
from genaudio.samplers.schedules.explicit import Explicit
from genaudio.samplers.schedules.tuned import Tuned
from genaudio.samplers.schedules.tuned_file import TunedGrid, write_grids
from tests.conftest import gen

LEVELS = (80.0, 4.0, 0.3, 0.002)
GRID = TunedGrid(4, 4, (*LEVELS, 0.0), {"type": "euler"}, 0.002, 80.0, error=0.01, error_before=0.05)


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run, tmp_path / "run")


def tune(run: Path, *grids: TunedGrid) -> Path:
    path = run / "model" / "schedules.json"
    write_grids(path, grids, load(run, "cpu").card["sha256"])
    return path


def test_the_levels_of_the_grid_are_sampled(run: Path) -> None:
    tune(run, GRID)
    model = load(run, "cpu")
    tuned, _ = model.generate(1, label="rain", solver="euler", schedule="tuned", nfe=4)
    same, _ = model.generate(1, label="rain", solver="euler", schedule=Explicit(levels=LEVELS), nfe=4)
    assert torch.equal(tuned, same)
    assert not torch.equal(tuned, model.generate(1, label="rain", solver="euler", nfe=4)[0])


def test_the_command_line_takes_it_and_the_manifest_has_the_levels(run: Path, tmp_path: Path) -> None:
    tune(run, GRID)
    out = tmp_path / "clips"
    arguments = ["sample", str(run), "--label", "rain", "--count", "1", "--out", str(out), "--quiet"]
    assert gen(*arguments, "--set", "schedule=tuned", "--set", "solver=euler", "--nfe", "4") == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["sigmas"] == [*LEVELS, 0.0]
    assert manifest["schedule"] == {
        "type": "tuned",
        "path": str(run / "model" / "schedules.json"),
        "solver": "euler",
    }


def test_grids_that_were_tuned_again_make_other_samples(run: Path, tmp_path: Path) -> None:
    tune(run, GRID)
    arguments = ["sample", str(run), "--label", "rain", "--count", "1", "--out", str(tmp_path / "clips"), "--quiet"]
    arguments += ["--set", "schedule=tuned", "--set", "solver=euler", "--nfe", "4"]
    assert gen(*arguments) == 0
    assert gen(*arguments) == 0  # done already
    tune(run, replace(GRID, sigmas=(80.0, 5.0, 0.3, 0.002, 0.0)))
    assert gen(*arguments) == 2  # not what stands there


def test_of_several_grids_the_one_for_the_solver_in_use(run: Path) -> None:
    other = replace(GRID, sigmas=(80.0, 9.0, 0.3, 0.002, 0.0), solver={"type": "exponential_integrator"})
    tune(run, GRID, other)
    model = load(run, "cpu")
    for solver, second in (("euler", 4.0), ("exponential_integrator", 9.0), ("dpm", 9.0)):
        schedule = model.plan(solver=solver, schedule="tuned", num_steps=4).schedule
        assert schedule.sigmas(4, 0.002, 80.0)[1].item() == second
    pinned = model.plan(solver="dpm", schedule=Tuned(solver="euler"), num_steps=4).schedule
    assert pinned.sigmas(4, 0.002, 80.0)[1].item() == 4.0


def test_an_exported_model_takes_them_along(run: Path, tmp_path: Path) -> None:
    tune(run, GRID)
    assert gen("export", str(run), "--out", str(tmp_path / "given away")) == 0
    assert (tmp_path / "given away" / "schedules.json").read_bytes() == (run / "model/schedules.json").read_bytes()
    here, there = load(run, "cpu"), load(tmp_path / "given away", "cpu")
    options = {"label": "rain", "solver": "euler", "schedule": "tuned", "nfe": 4}
    assert torch.equal(here.generate(1, **options)[0], there.generate(1, **options)[0])


def test_a_model_without_grids_says_how_to_make_them(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        load(run, "cpu").plan(schedule="tuned", nfe=4)
    assert f"there is no {run / 'model' / 'schedules.json'}" in str(caught.value)
    assert f"gen tune-schedule {run} --nfe N" in str(caught.value)
    load(run, "cpu").save(tmp_path / "exported")
    with pytest.raises(RunError, match=f"gen tune-schedule {tmp_path / 'exported'} --nfe N"):
        load(tmp_path / "exported", "cpu").plan(schedule="tuned")
    in_memory = replace(load(run, "cpu"), folder=None)
    assert isinstance(in_memory, Model)
    with pytest.raises(RunError, match="the model is in memory alone"):
        in_memory.plan(schedule="tuned")


def test_grids_of_other_weights_are_refused(run: Path) -> None:
    path = run / "model" / "schedules.json"
    write_grids(path, [GRID], "0" * 64)
    with pytest.raises(RunError, match=r"(?s)was tuned for other weights.*tune again with `gen tune-schedule"):
        load(run, "cpu").plan(schedule="tuned", nfe=4)
    elsewhere = {"type": "tuned", "path": str(path)}  # named by its path, a grid may be borrowed
    assert load(run, "cpu").plan(solver="euler", schedule=elsewhere, nfe=4).num_steps == 4


def test_a_damaged_file_or_a_budget_without_a_grid_is_a_clear_error(run: Path, capsys: pytest.CaptureFixture) -> None:
    path = tune(run, GRID)
    sample = ["sample", str(run), "--out", str(run / "out"), "--quiet", "--set", "schedule=tuned"]
    assert gen(*sample, "--nfe", "7") == 2
    assert "expected  steps for which there is one: 4 (euler, nfe 4)" in capsys.readouterr().err
    path.write_text("{")
    assert gen(*sample, "--nfe", "4") == 2
    assert f"{path} cannot be used" in capsys.readouterr().err


def test_a_run_whose_recipe_says_tuned_trains_and_then_asks_for_the_grids(tiny_recipe: Path, tmp_path: Path) -> None:
    recipe = genaudio.load_recipe(
        tiny_recipe, ["schedule=tuned", "solver=euler", "training.steps=2", "sampling.num_steps=null", "sampling.nfe=4"]
    )
    with pytest.raises(RunError, match=r"(?s)there is no .*schedules.json.*gen tune-schedule"):
        genaudio.run(recipe, tmp_path / "run", quiet=True)
    tune(tmp_path / "run", GRID)
    genaudio.run(recipe, tmp_path / "run", quiet=True)
    manifest = json.loads((tmp_path / "run/samples/manifest.json").read_text())
    assert manifest["sigmas"] == [*LEVELS, 0.0]


@pytest.mark.parametrize(
    ("overrides", "path", "words"),
    [
        (["schedule={type: explicit, levels: [80, 1]}"], "schedule", "3 steps for an explicit schedule of 2 levels"),
        (["schedule={type: tuned, path: none.json}"], "schedule", "there is no file none.json"),
        (["solver=dpm_adaptive", "sampling.num_steps=null", "sampling.nfe=4"], "sampling.nfe", "an adaptive solver"),
        (["solver=runge_kutta", "sampling.num_steps=null", "sampling.nfe=0"], "sampling.nfe", "given     0"),
    ],
)
def test_a_sampler_that_cannot_work_is_told_with_its_place_before_training(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture, overrides: list[str], path: str, words: str
) -> None:
    settings = [part for override in overrides for part in ("--set", override)]
    for command in (["check", str(tiny_recipe)], ["run", str(tiny_recipe), "--out", str(tmp_path / "run")]):
        assert gen(*command, *settings) == 2
        told = capsys.readouterr().err
        assert words in told
        assert f"  {path}\n" in told
        assert "--set" in told.splitlines()[0] or f"{tiny_recipe}:" in told.splitlines()[0]
    assert not (tmp_path / "run" / "checkpoints").exists()
