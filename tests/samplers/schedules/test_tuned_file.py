from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.tuned_file import TunedGrid, read_file, read_grids, write_grids

SOLVER = {"type": "dpm", "order": 2}
GRID = TunedGrid(4, 3, (80.0, 2.0, 0.01, 0.0), SOLVER, 0.01, 80.0, error=0.02, error_before=0.1, extra={"items": 64})
OTHER = TunedGrid(4, 4, (80.0, 9.0, 2.0, 0.01, 0.0), {"type": "euler"}, 0.01, 80.0)
WEIGHTS = "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "schedules.json"


def test_what_is_written_reads_back(path: Path) -> None:
    write_grids(path, [GRID, OTHER], WEIGHTS)
    assert read_grids(path) == [GRID, OTHER]
    assert read_file(path).model_sha256 == WEIGHTS
    data = json.loads(path.read_text())
    assert (data["format"], data["model_sha256"]) == (1, WEIGHTS)
    assert data["grids"][0]["sigmas"] == [80.0, 2.0, 0.01, 0.0]
    assert data["grids"][0]["items"] == 64
    assert [file.name for file in path.parent.iterdir()] == ["schedules.json"]


def test_keys_that_are_not_known_are_kept_and_errors_may_be_missing(path: Path) -> None:
    plain = {"nfe": 1, "num_steps": 1, "sigmas": [5, 0], "solver": SOLVER, "sigma_min": 1, "sigma_max": 5, "new": [1]}
    path.write_text(json.dumps({"format": 1, "grids": [plain], "model_sha256": WEIGHTS, "made_by": "hand"}))
    grid = read_grids(path)[0]
    assert (grid.error, grid.extra) == (None, {"new": [1]})
    write_grids(path, [OTHER], WEIGHTS)
    assert read_grids(path) == [grid, OTHER]


def test_a_grid_takes_the_place_of_an_earlier_one_for_the_same_budget_and_solver(path: Path) -> None:
    write_grids(path, [GRID, OTHER], WEIGHTS)
    better = replace(GRID, sigmas=(80.0, 3.0, 0.01, 0.0), error=0.01)
    write_grids(path, [better], WEIGHTS)
    assert read_grids(path) == [OTHER, better]
    more = replace(GRID, nfe=5)
    another_order = replace(GRID, solver={"type": "dpm", "order": 3})
    write_grids(path, [more, another_order], WEIGHTS)
    assert read_grids(path) == [OTHER, better, more, another_order]


def test_grids_of_other_weights_go(path: Path) -> None:
    write_grids(path, [GRID], WEIGHTS)
    write_grids(path, [OTHER], "cd" * 32)
    assert read_grids(path) == [OTHER]


def changed(**values: Any) -> dict[str, Any]:
    grid = {"nfe": 2, "num_steps": 2, "sigmas": [5.0, 1.0, 0.0], "solver": SOLVER, "sigma_min": 1.0, "sigma_max": 5.0}
    grid |= values
    return {"format": 1, "model_sha256": WEIGHTS, "grids": [{k: v for k, v in grid.items() if v is not ...}]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ("\x00", "cannot be used"),
        (json.dumps({"grids": []}), "has no 'format'"),
        (json.dumps({"format": 2}), "its format is 2, not 1"),
        (json.dumps({"format": 1, "grids": []}), "has no 'model_sha256'"),
        (json.dumps({"format": 1, "grids": [3], "model_sha256": ""}), "cannot be used"),
        (json.dumps(changed(sigmas=...)), "has no 'sigmas'"),
        (json.dumps(changed(solver=...)), "has no 'solver'"),
        (json.dumps(changed(solver="dpm")), "solver is 'dpm'"),
        (json.dumps(changed(nfe=0)), "nfe is 0"),
        (json.dumps(changed(num_steps=True)), "num_steps is True"),
        (json.dumps(changed(num_steps=3)), "the sigmas of 3 steps are not that many falling levels"),
        (json.dumps(changed(sigmas=[5.0, 1.0, 0.5])), "falling levels and a 0"),
        (json.dumps(changed(sigmas=[5.0, 5.0, 0.0])), "falling levels and a 0"),
        (json.dumps(changed(sigmas=[5.0, "1", 0.0])), "not a finite number"),
        (json.dumps(changed(sigmas=[5.0, float("nan"), 0.0])), "not a finite number"),
        (json.dumps(changed(sigmas=[4.0, 1.0, 0.0])), "do not start at 5"),
        (json.dumps(changed(sigmas=[5.0, 0.5, 0.0])), "leave the range to 1"),
    ],
)
def test_a_damaged_file_is_refused_by_name(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(GenaudioError) as caught:
        read_grids(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "make it again with `gen tune-schedule RUN --nfe N`" in str(caught.value)
    with pytest.raises(GenaudioError):
        write_grids(path, [GRID], WEIGHTS)  # nothing that cannot be read is written over
    assert path.read_text() == text


def test_a_missing_file_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(GenaudioError, match=r"(?s)there is no file .*schedules.json.*gen tune-schedule RUN --nfe N"):
        read_grids(path)
