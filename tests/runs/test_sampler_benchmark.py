from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genaudio
from genaudio.core.errors import Interrupted, RunError
from genaudio.core.progress import Progress
from genaudio.runs.benchmark_judge import Judge
from genaudio.runs.contenders import contenders, default_embedding
from genaudio.runs.model import Model
from genaudio.runs.sampler_benchmark import BenchmarkRequest, run_benchmark
from genaudio.runs.starts import Starts
from genaudio.samplers.euler import Euler
from genaudio.samplers.tuning import relative_error


@pytest.fixture(scope="module")
def model(tiny_run) -> Model:
    return genaudio.load(tiny_run, device="cpu")


def request(model: Model, **changes) -> BenchmarkRequest:
    texts = {"solvers": ["euler", "{type: dpm, order: 3}"], "schedules": ["karras", "{type: karras, rho: 4}"]}
    wanted = {
        **{key: contenders(key[:-1], changes.pop(key, value)) for key, value in texts.items()},
        "nfe": (2, 12),
        "labels": ("metal", "rain"),
        "items": 3,
        "reference_steps": 20,
        "seed": 0,
        "metrics": contenders("metric", ["{type: fad, draws: 5}"]),
        "embedding": default_embedding(model),
    }
    return BenchmarkRequest(**wanted | changes)


def bench(model: Model, run: Path, folder: Path, progress: Progress | None = None, **changes):
    return run_benchmark(model, run, request(model, **changes), folder, progress or Progress())


@pytest.fixture(scope="module")
def results(model, tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "out"
    return bench(model, tiny_run, folder), folder


def test_every_place_of_the_table_is_there_in_order(results):
    found, _ = results
    places = [(row["solver"], row["schedule"], row["nfe"]) for row in found["cells"]]
    solvers, schedules = ("euler", "dpm order=3"), ("karras", "karras rho=4.0")
    assert places == [(solver, schedule, nfe) for solver in solvers for schedule in schedules for nfe in (2, 12)]
    assert all(row["note"] is None and row["evaluations"] == row["nfe"] for row in found["cells"])
    json.dumps(found, allow_nan=False)


def test_errors_fall_with_the_budget_and_equal_grids_share_a_cell(results):
    found, folder = results
    errors = {(row["solver"], row["schedule"], row["nfe"]): row["error_rms"] for row in found["cells"]}
    assert all(errors[pair, schedule, 12] < errors[pair, schedule, 2] for pair, schedule, _ in errors)
    assert errors["euler", "karras", 2] == errors["euler", "karras rho=4.0", 2]  # two levels, the ends: one grid
    assert len(list((folder / "cells").glob("*.json"))) == 6
    assert not list(folder.rglob("*.partial"))


def test_a_cell_is_what_the_sampler_itself_comes_to(model, tiny_run, results):
    """The clips of gen sample with the same seed, against those of a fine solution: the same distance of spectra."""
    found, folder = results
    from safetensors.torch import load_file

    from genaudio.core.seeds import derive_seed
    from genaudio.evaluation.log_spectral_distance import log_spectral_distance

    reference = load_file(folder / "reference.safetensors")["x"]
    starts = Starts.of(model, [derive_seed(0, "item", index) for index in range(3)], ("metal", "rain"))
    plan = model.plan(solver="euler", schedule={"type": "karras", "rho": 4.0}, nfe=12)
    row = next(r for r in found["cells"] if (r["solver"], r["schedule"], r["nfe"]) == ("euler", "karras rho=4.0", 12))
    assert row["error_rms"] == pytest.approx(relative_error(starts.solve(plan), reference), rel=1e-9)
    clips = torch.cat(list(model.stream(plan, range(3), starts.labels, seed=0)))
    distance = log_spectral_distance(clips, starts.decode(reference), model.sample_rate)
    assert row["log_spectral_distance_db"] == pytest.approx(float(distance.mean()), rel=1e-9)
    values = row["metrics"]["fad draws=5"]
    assert values["interval"][0] <= values["value"] <= values["interval"][1]


def test_the_card_of_a_metric_says_what_was_compared(results):
    found, _ = results
    card = found["metric_cards"]["fad draws=5"]
    assert (card["metric"], card["embedding"], card["weights_sha256"]) == ("fad", "mel_statistics", None)
    assert (card["generated"], card["reference"], card["sample_rate"]) == (3, 256, 8000)
    assert found["real_clips"] == 256
    assert found["guidance"] is None


class Stopping(Progress):
    """Ctrl-C after some work."""

    def __init__(self, title: str, after: float) -> None:
        self.title, self.after, self.now = title, after, ""

    def start(self, title: str, total: int, done: int = 0, unit: str = "steps") -> None:
        self.now = title

    def update(self, done: float, **facts: str) -> None:
        if self.now == self.title and done >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("title", "after", "cells"), [("reference", 1, 0), ("bench", 43, 2)])
def test_resumed_equals_uninterrupted(model, tiny_run, tmp_path, results, title, after, cells):
    folder = tmp_path / "out"
    with pytest.raises(Interrupted, match="go on with the same command"):
        bench(model, tiny_run, folder, Stopping(title, after))
    before = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*.json")}
    assert len(before) == cells
    assert bench(model, tiny_run, folder) == results[0]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_cell_that_was_cut_short_is_computed_again(model, tiny_run, tmp_path, results):
    folder = shutil.copytree(results[1], tmp_path / "out")
    next(folder.glob("cells/*.json")).write_text("{")
    (folder / "reference.safetensors").write_bytes(b"damaged")
    assert bench(model, tiny_run, folder) == results[0]


def test_further_samplers_in_the_same_folder_compute_those_alone(model, tiny_run, tmp_path, results):
    folder = shutil.copytree(results[1], tmp_path / "out")
    before = {path.name for path in folder.glob("cells/*.json")}
    found = bench(model, tiny_run, folder, solvers=["euler", "heun"], nfe=(2, 3), schedules=["karras"])
    assert found["cells"][0] == results[0]["cells"][0]
    new = {path.name for path in folder.glob("cells/*.json")} - before
    assert len(new) == 3  # euler with 3; heun with 2 (one step) and 3 (two)


def test_another_request_in_the_same_folder_is_refused(model, tiny_run, results, tmp_path):
    with pytest.raises(
        RunError, match=r"holds a benchmark with another items, seed\n.*\n\s+mend +choose another --out"
    ):
        bench(model, tiny_run, results[1], items=2, seed=1)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(RunError, match="holds no benchmark"):
        bench(model, tiny_run, tmp_path)


class Costly(Euler):
    """Euler's method at three times the price."""

    def evaluations(self, num_steps: int) -> int:
        return 3 * num_steps


class Adaptive(Euler):
    """It does not say what it will take."""

    def evaluations(self, num_steps: int) -> int | None:
        return None


def test_a_budget_that_does_not_fit_is_noted(model, tiny_run, tmp_path):
    solvers = {"euler": Euler(), "costly": Costly(), "adaptive": Adaptive()}
    asked = replace(request(model, schedules=["karras"], nfe=(2,)), solvers=solvers)
    fits, costly, adaptive = run_benchmark(model, tiny_run, asked, tmp_path / "out", Progress())["cells"]
    assert fits["note"] is None
    assert costly["note"] == "nfe is 2, expected at least 3, what one step of this solver takes"
    assert adaptive["note"].startswith("a budget of evaluations for an adaptive solver")
    assert costly["num_steps"] is costly["error_rms"] is None
    with pytest.raises(RunError, match="no sampler that fits any of the budgets"):
        run_benchmark(model, tiny_run, replace(asked, solvers={"costly": Costly()}), tmp_path / "none", Progress())
    assert not (tmp_path / "none").exists()


def test_a_stochastic_solver_has_a_metric_and_no_error(model, tiny_run, tmp_path):
    churn = ["{type: heun, s_churn: 5}"]
    (row,) = bench(model, tiny_run, tmp_path / "out", solvers=churn, schedules=["karras"], nfe=(5,))["cells"]
    assert (row["error_rms"], row["error_median"], row["log_spectral_distance_db"]) == (None, None, None)
    assert "draws fresh noise" in row["note"]
    assert row["metrics"]["fad draws=5"]["value"] > 0


def test_without_real_clips_metrics_are_left_out_and_errors_remain(model, tiny_run, tmp_path):
    exported = shutil.copytree(tiny_run / "model", tmp_path / "model")
    found = bench(model, exported, tmp_path / "out", solvers=["euler"], schedules=["karras"], nfe=(2,))
    assert found["notes"] == [
        f"metrics are left out, for want of real clips: {exported / 'recipe.yaml'} does not exist"
    ]
    assert found["reference"]["metrics"] == found["cells"][0]["metrics"] == {}
    assert found["cells"][0]["error_rms"] > 0


def test_one_clip_is_too_few_for_the_metric_which_is_said_once(model, tiny_run, tmp_path):
    found = bench(model, tiny_run, tmp_path / "out", items=1, solvers=["euler"], schedules=["karras"], nfe=(2,))
    assert found["notes"] == ["fad draws=5 is left out: the generated clips' features: one row"]
    assert found["cells"][0]["note"] is None
    assert found["cells"][0]["error_rms"] > 0


@pytest.mark.usefixtures("faulty")
def test_metrics_that_fail_or_give_no_number_are_notes(model, tiny_run, tmp_path):
    metrics = contenders("metric", ["{type: fad, draws: 5}", "faulty/raises", "faulty/no_number"])
    asked = {"metrics": metrics, "solvers": ["euler"], "schedules": ["karras"], "nfe": (2,)}
    found = bench(model, tiny_run, tmp_path / "out", **asked)
    raised = "faulty/raises is left out: the metric faulty/raises of faulty-plugin raised KeyError: 'gone'"
    assert found["notes"] == [raised, "faulty/no_number is left out: its value or interval is not finite"]
    (row,) = found["cells"]
    assert list(row["metrics"]) == ["fad draws=5"]


def test_clips_that_are_not_finite_are_noted(model):
    starts = Starts.of(model, [1, 2], ("rain",))
    ends = starts.noise()
    judge = Judge(starts, ends, None, {}, default_embedding(model))
    assert judge(ends, comparable=True)["error_rms"] == 0
    ends[1, 0, 0, 0] = torch.nan
    assert judge(ends, comparable=True) == {"note": "its clips are not finite"}
