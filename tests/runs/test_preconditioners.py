"""Every preconditioner through a whole run: its sigma_data is measured, its noise follows, its samples are finite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import genaudio
from genaudio.plugins.manager import discover

# Mean square of each network's target on data of unit variance: what a network that puts out 0 has as its loss.
TARGETS = {"edm": 1.0, "vp": 1.0, "ve": 1.0, "velocity": 1.0, "flow": 2.0}


def test_every_built_in_is_here() -> None:
    assert list(TARGETS) == discover("").registry.names("preconditioner")


@pytest.mark.parametrize("name", TARGETS)
def test_a_run(name: str, tiny_recipe: Path, tmp_path: Path) -> None:
    overrides = [
        f"preconditioner={name}",
        "training={steps: 2, batch_size: 64, log_every: 1, precision: float32}",
        "sampling={clips_per_class: 1, nfe: 6}",
    ]
    run = genaudio.run(genaudio.load_recipe(tiny_recipe, overrides), tmp_path / "run", quiet=True)
    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert losses[0] == pytest.approx(TARGETS[name], rel=0.15)  # the network's output starts at 0
    model = genaudio.load(run, device="cpu")
    assert (
        model.components["preconditioner"].sigma_data
        == json.loads((run / "run.json").read_text())["stages"]["train"]["sigma_data"]
    )
    assert model.generate(1, label="rain")[0].isfinite().all()
