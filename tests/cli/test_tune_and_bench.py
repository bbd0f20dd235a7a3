"""`gen tune-schedule` and `gen bench-samplers` end to end, on the tiny run."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from genaudio.samplers.schedules.tuned_file import read_grids
from tests.conftest import gen


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


SMALL = ("--items", 2, "--reference-steps", 10)


def test_tune_schedule_says_the_cost_stores_the_grid_and_prints_the_gain(run, capsys):
    assert gen("tune-schedule", run, "--nfe", 3, "--set", "solver=dpm", "--evaluations", 60, *SMALL) == 0
    out, err = capsys.readouterr()
    path = run / "model" / "schedules.json"
    (grid,) = read_grids(path)
    assert out.splitlines()[-1] == str(path)
    assert out.splitlines()[1].split()[:5] == ["3", "3", "10", f"{grid.error_before:.4f}", f"{grid.error:.4f}"]
    assert "2 clips to tune on and 2 to judge by; at most 160 evaluations of the network, about" in err
    assert grid.solver["type"] == "dpm"


def test_tune_schedule_takes_an_exported_model_and_the_recipes_budget(run, tmp_path, capsys):
    assert gen("export", run, "--out", tmp_path / "model") == 0
    card = tmp_path / "model" / "model.json"
    card.write_text(card.read_text().replace('"nfe": null', '"nfe": 3').replace('"num_steps": 3', '"num_steps": null'))
    assert gen("tune-schedule", tmp_path / "model", "--quiet", "--evaluations", 20, "--label", "rain", *SMALL) == 0
    path = tmp_path / "model" / "schedules.json"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert (read_grids(path)[0].nfe, read_grids(path)[0].extra["labels"]) == (3, ["rain"])


def test_bench_samplers_writes_consistent_files_and_recommends(run, capsys):
    words = ("--solver", "euler", "--solver", "{type: dpm, order: 3}", "--schedule", "karras")
    words = (*words, "--nfe", 4, "--nfe", 2, *SMALL)
    assert gen("bench-samplers", run, *words) == 0
    out, err = capsys.readouterr()
    folder = run / "bench-samplers"
    assert out.splitlines()[-1] == str(folder)
    assert "bench-samplers: 4 cells of 2 clips; 44 evaluations of the network, about" in err
    results = json.loads((folder / "results.json").read_text())
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert [(row["solver"], row["schedule"], int(row["nfe"])) for row in rows] == [
        (cell["solver"], cell["schedule"], cell["nfe"]) for cell in results["cells"]
    ]
    for row, cell in zip(rows, results["cells"], strict=True):
        assert float(row["error_rms"]) == cell["error_rms"]
        assert float(row["fad"]) == cell["metrics"]["fad"]["value"]
    best = results["recommendation"]["best"]
    assert best["4"]["error_rms"] == min(cell["error_rms"] for cell in results["cells"] if cell["nfe"] == 4)
    assert f"nfe 4: {best['4']['solver']} on karras" in out
    assert (folder / "samplers.png").read_bytes().startswith(b"\x89PNG")

    files = {name: (folder / name).read_bytes() for name in ("results.json", "results.csv", "samplers.png")}
    assert gen("bench-samplers", run, *words, "--quiet") == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert {name: (folder / name).read_bytes() for name in files} == files


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tune-schedule", "{tmp}", "--nfe", 4), "holds no model"),
        (("tune-schedule", "{run}"), "no --nfe, and the recipe's budget is not in evaluations"),
        (("tune-schedule", "{run}", "--nfe", 4, "--set", "solver=hun"), "did you mean 'heun'?"),
        (("tune-schedule", "{run}", "--nfe", 4, "--label", "rian"), "did you mean 'rain'?"),
        (("tune-schedule", "{run}", "--nfe", 0), "nfe is 0"),
        (("tune-schedule", "{run}", "--nfe", 4, "--evaluations", 7), "at least 48, which one solve of 12 clips takes"),
        (("bench-samplers", "{tmp}"), "holds no model"),
        (("bench-samplers", "{run}", "--solver", "hun"), "did you mean 'heun'?"),
        (("bench-samplers", "{run}", "--schedule", "{{type: karras, roh: 5}}"), "did you mean 'rho'?"),
        (("bench-samplers", "{run}", "--metric", "kda"), "did you mean 'kad'?"),
        (("bench-samplers", "{run}", "--embedding", "mel"), "mel_statistics"),
        (("bench-samplers", "{run}", "--label", "rian"), "did you mean 'rain'?"),
        (("bench-samplers", "{run}", "--nfe", 0), "--nfe 0"),
    ],
)
def test_mistakes(tiny_run, tmp_path, capsys, words, message):
    before = sorted(tiny_run.rglob("*"))
    assert gen(*(str(word).format(run=tiny_run, tmp=tmp_path) for word in words)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert sorted(tiny_run.rglob("*")) == before
