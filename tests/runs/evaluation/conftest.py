"""Changes of the tiny recipe, and what its runs measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import genaudio


def tiny(recipe: Path, *changes: str) -> genaudio.Recipe:
    return genaudio.load_recipe(recipe, changes)


def results_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "evaluation/results.json").read_text())
    return found


@pytest.fixture
def nothing_held_out(tmp_path: Path) -> str:
    """The change of a recipe to a folder of noise, six clips of each of two classes, of which all are trained on."""
    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(6):
            sound = 0.1 * generator.standard_normal(1000)
            soundfile.write(tmp_path / "data" / label / f"{number}.wav", sound, 8000)
    fields = "sample_rate: 8000, duration: 0.125, validation_share: 0, test_share: 0"
    return f"dataset={{type: folder, root: '{tmp_path / 'data'}', {fields}}}"
