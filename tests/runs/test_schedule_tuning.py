from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genaudio
from genaudio.core.errors import GenaudioError, Interrupted
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.runs import schedule_tuning
from genaudio.runs.model import Model
from genaudio.runs.schedule_tuning import TuningRequest, grids_file, plans, table, tune_schedules
from genaudio.runs.starts import Starts, reference_plan
from genaudio.samplers.schedules.tuned_file import read_grids, write_grids
from genaudio.samplers.tuning import relative_error
from tests.runs.conftest import Said


@pytest.fixture(scope="module")
def model(tiny_run) -> Model:
    return genaudio.load(tiny_run, device="cpu")


def request(**changes) -> TuningRequest:
    return TuningRequest(
        **{"nfe": (3, 4), "labels": ("metal", "rain"), "items": 2, "reference_steps": 20, "evaluations": 100} | changes
    )


def tuned(model: Model, path: Path, texts: tuple[str, ...] = (), **changes):
    asked = request(**changes)
    return tune_schedules(model, plans(model, texts, asked), asked, path, Progress())


def test_grids_are_stored_with_what_they_are_for(model, tmp_path):
    path = tmp_path / "schedules.json"
    grids = tuned(model, path, ("solver=dpm",))
    assert read_grids(path) == grids
    assert json.loads(path.read_text())["model_sha256"] == model.card["sha256"]
    for grid, nfe in zip(grids, (3, 4), strict=True):
        assert (grid.nfe, grid.num_steps, len(grid.sigmas)) == (nfe, nfe, nfe + 1)
        before = model.plan(solver="dpm", nfe=nfe).schedule.sigmas(nfe, 0.002, 80.0)
        assert (grid.sigmas[0], grid.sigmas[-2], grid.sigmas[-1]) == (80.0, before[-2], 0.0)
        assert grid.solver["type"] == "dpm"
        assert grid.error < grid.error_before
        assert grid.extra["items"] == 2
        assert grid.extra["labels"] == ["metal", "rain"]
        assert grid.extra["solves"] <= 100 // (2 * nfe)


def test_errors_are_those_of_clips_that_were_not_tuned_on(model, tmp_path):
    """Measured again from the validation seeds, through the sampler itself."""
    (grid,) = tuned(model, tmp_path / "schedules.json", nfe=(4,))
    seeds = [derive_seed(0, "validate", index) for index in range(2)]
    starts = Starts.of(model, seeds, ("metal", "rain"))
    plan = model.plan(nfe=4)
    reference = starts.solve(reference_plan(plan, 20))
    assert grid.error_before == pytest.approx(relative_error(starts.solve(plan), reference), rel=1e-6)
    x = starts.noise() * grid.sigmas[0]
    sigmas = torch.tensor(grid.sigmas, dtype=torch.float64)
    ends = plan.solver.solve(starts.denoiser(plan), x, sigmas)
    assert grid.error == pytest.approx(relative_error(ends, reference), rel=1e-6)


def test_no_noise_is_that_of_a_clip_that_somebody_samples():
    seeds = {kind: {derive_seed(0, kind, index) for index in range(100)} for kind in ("tune", "validate", "item")}
    assert len(set.union(*seeds.values())) == 300


def test_equal_requests_give_equal_files_and_each_solver_has_a_grid_of_its_own(model, tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    tuned(model, first, nfe=(3,))
    tuned(model, second, nfe=(3,))
    assert first.read_bytes() == second.read_bytes()
    tuned(model, first, nfe=(3,))
    assert first.read_bytes() == second.read_bytes()
    tuned(model, first, ("solver=heun",), nfe=(3,), evaluations=20)
    grids = read_grids(first)
    assert [(grid.nfe, grid.solver["type"]) for grid in grids] == [(3, "exponential_integrator"), (3, "heun")]


def tuned_and_told(model: Model, path: Path, texts: tuple[str, ...] = (), **changes):
    """The grid that the file holds for nfe 4 afterwards, and what is said of it."""
    asked, said = request(nfe=(4,), **changes), Said()
    (grid,) = tune_schedules(model, plans(model, texts, asked), asked, path, said)
    assert read_grids(path) == [grid]
    return grid, [line for line in said.lines if "nfe 4: " in line]


def test_a_worse_grid_does_not_take_the_place_of_a_better_one(model, tmp_path):
    path = tmp_path / "schedules.json"
    start, said = tuned_and_told(model, path, seconds=0.0)
    assert said == []
    better, said = tuned_and_told(model, path, evaluations=400)
    assert better.error < start.error
    assert said == []
    kept, (line,) = tuned_and_told(model, path, seconds=0.0)
    assert kept == better
    assert line == (
        f"nfe 4: the stored grid stays, its error is {better.error:.4g}; that of the new one is {start.error:.4g}"
    )


@pytest.mark.parametrize(
    ("texts", "changes", "different"),
    [
        ((), {"seed": 1}, "seed"),
        ((), {"items": 3, "labels": ("rain",)}, "items, labels"),
        ((), {"reference_steps": 30}, "reference steps"),
        (("guidance=cfg", "guidance.scale=3"), {}, "guidance"),
    ],
)
def test_a_grid_whose_error_does_not_compare_is_replaced_and_that_is_said(model, tmp_path, texts, changes, different):
    path = tmp_path / "schedules.json"
    tuned_and_told(model, path, evaluations=400)
    grid, (line,) = tuned_and_told(model, path, texts, seconds=0.0, **changes)
    assert grid.extra["solves"] == 0
    assert line.startswith("note: nfe 4: the grid that was stored is replaced; its error was measured otherwise")
    assert f"({different})" in line


def test_grids_of_another_range_or_without_an_error_are_replaced(model, tmp_path):
    path = tmp_path / "schedules.json"
    grid, _ = tuned_and_told(model, path, seconds=0.0)
    other = replace(grid, sigmas=(90.0, *grid.sigmas[1:]), sigma_max=90.0, error=grid.error / 2)
    for stored, different in ((other, "range"), (replace(grid, error=None), "no error")):
        write_grids(path, [stored], model.card["sha256"])
        found, (line,) = tuned_and_told(model, path, seconds=0.0)
        assert found == grid
        assert f"({different})" in line
    write_grids(path, [replace(grid, error=0.0)], "other weights")  # whose errors say nothing of these
    assert tuned_and_told(model, path, seconds=0.0) == (grid, [])


def test_the_last_level_moves_only_if_that_is_asked_for(model, tmp_path):
    (grid,) = tuned(model, tmp_path / "schedules.json", nfe=(4,), move_last=True, evaluations=160)
    assert 0.002 <= grid.sigmas[-2] <= 0.1


def test_a_search_without_time_keeps_the_best_start(model, tmp_path):
    (grid,) = tuned(model, tmp_path / "schedules.json", nfe=(4,), seconds=0.0)
    assert grid.extra["solves"] == 0
    assert grid.error <= grid.error_before


class Interrupting(Progress):
    """Sends Ctrl-C to this process after some solves of a search."""

    def __init__(self, title: str, after: int) -> None:
        self.title, self.after, self.now = title, after, ""

    def start(self, title: str, total: int, done: int = 0, unit: str = "steps") -> None:
        self.now = title

    def update(self, done: float, **facts: str) -> None:
        import signal

        if self.now == self.title and done >= self.after:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_a_search_stores_the_best_so_far_and_says_so(model, tmp_path):
    path = tmp_path / "schedules.json"
    asked = request(nfe=(3, 4))
    with pytest.raises(Interrupted, match=r"has the grids for nfe 3\n\s+expected  a search of 16 solves.*took 9"):
        tune_schedules(model, plans(model, (), asked), asked, path, Interrupting("nfe 3", 9))
    (grid,) = read_grids(path)
    assert grid.extra["solves"] == 9
    assert grid.error <= grid.error_before


def test_ctrl_c_before_a_search_stores_nothing(model, tmp_path):
    path = tmp_path / "schedules.json"
    asked = request()
    with pytest.raises(Interrupted, match="nothing is stored"):
        tune_schedules(model, plans(model, (), asked), asked, path, Interrupting("reference", 1))
    assert not path.exists()


@pytest.mark.parametrize(
    ("texts", "changes", "message"),
    [
        (("solver=heun", "solver.s_churn=5.0"), {}, "which draws fresh noise on the way"),
        (
            ("solver.type=dpm", "solver.variant=singlestep", "solver.order=3"),
            {"evaluations": 5},
            "5 evaluations to search",
        ),
        (("solver=hun",), {}, "did you mean 'heun'"),
        ((), {"nfe": (0,)}, "nfe is 0"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_computed(model, texts, changes, message):
    with pytest.raises(GenaudioError) as caught:
        plans(model, texts, request(**changes))
    assert message in str(caught.value)


def test_the_table_has_a_line_a_budget(model, tmp_path):
    lines = table(tuned(model, tmp_path / "schedules.json", evaluations=30)).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["3", "3"], ["4", "4"]]
    assert "error: root mean square" in lines[3]


def test_the_file_lies_beside_the_weights(tiny_run, tmp_path):
    assert grids_file(tiny_run) == tiny_run / "model" / "schedules.json"
    exported = shutil.copytree(tiny_run / "model", tmp_path / "given away")
    assert grids_file(exported) == exported / "schedules.json"
    assert schedule_tuning.FILE_NAME == "schedules.json"
