from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.samplers.schedules.tuned import Tuned
from genaudio.samplers.schedules.tuned_file import TunedGrid, write_grids

FOUR = TunedGrid(4, 4, (80.0, 9.0, 2.0, 0.01, 0.0), {"type": "euler"}, 0.01, 80.0)
THREE = TunedGrid(6, 3, (80.0, 2.0, 0.01, 0.0), {"type": "heun", "s_churn": 0.0}, 0.01, 80.0)


@pytest.fixture
def path(tmp_path: Path) -> str:
    write_grids(tmp_path / "grids.json", [FOUR, THREE], "0" * 64)
    return str(tmp_path / "grids.json")


def test_the_grid_of_the_steps_asked_for(path: str) -> None:
    for grid in (FOUR, THREE):
        sigmas = Tuned(path=path).sigmas(grid.num_steps, 0.01, 80.0)
        assert sigmas.dtype == torch.float64
        assert tuple(sigmas.tolist()) == grid.sigmas


def test_of_several_the_one_for_the_solver_then_the_one_tuned_last(path: str) -> None:
    heun = replace(FOUR, nfe=8, solver={"type": "heun"}, sigmas=(80.0, 8.0, 2.0, 0.01, 0.0))
    again = replace(heun, solver={"type": "heun", "s_churn": 1.0}, sigmas=(80.0, 7.0, 2.0, 0.01, 0.0))
    write_grids(path, [heun, again], "0" * 64)

    def second(solver: str | None) -> float:
        return Tuned(path=path, solver=solver).sigmas(4, 0.01, 80.0)[1].item()

    assert [second("euler"), second("heun"), second("dpm"), second(None)] == [9.0, 7.0, 7.0, 7.0]


def test_steps_are_those_of_the_only_grid(path: str, tmp_path: Path) -> None:
    assert Tuned(path=path).steps is None
    assert Tuned().steps is None
    write_grids(tmp_path / "one.json", [THREE], "0" * 64)
    assert Tuned(path=str(tmp_path / "one.json")).steps == 3


def test_errors(path: str, tmp_path: Path) -> None:
    with pytest.raises(GenaudioError) as caught:
        Tuned(path=path).sigmas(12, 0.01, 80.0)
    assert "12 steps, for which" in str(caught.value)
    assert "4 (euler, nfe 4), 3 (heun, nfe 6)" in str(caught.value)
    assert "`gen tune-schedule RUN --nfe N`" in str(caught.value)
    for low, high in ((0.002, 80.0), (0.01, 3.0)):
        with pytest.raises(GenaudioError, match=rf"from {high:g} to {low:g} for a grid.*tuned from 80 to 0.01"):
            Tuned(path=path).sigmas(4, low, high)
    with pytest.raises(GenaudioError, match="num_steps is 0"):
        Tuned(path=path).sigmas(0, 0.01, 80.0)
    with pytest.raises(GenaudioError, match=r"(?s)path of a tuned schedule is still 'auto'.*genaudio.load"):
        Tuned().sigmas(4, 0.01, 80.0)
    missing = Tuned(path=str(tmp_path / "none.json"))  # making one touches no file: a recipe may name a later one
    for use in (lambda: missing.sigmas(4, 0.01, 80.0), lambda: missing.steps):
        with pytest.raises(GenaudioError, match=r"there is no file .*none.json"):
            use()
