"""The metric and the embedding of docs/plugins.md do what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import measure
from genaudio.plugins.manager import discover
from genaudio.plugins.testing import check_component

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
HOOKS = """
    import genaudio

    @genaudio.hookimpl
    def genaudio_register(registry):
        registry.add("metric", "acme/shift", "fake_documented_parts:Shift", "Distance of means")
        registry.add("embedding", "acme/levels", "fake_documented_parts:Levels", "Levels")
"""


@pytest.fixture
def parts(site: Path, install: Callable[..., None]) -> Any:
    """The registry with a plugin that holds the code of the page's section."""
    section = PAGE.read_text(encoding="utf-8").split("## A metric and an embedding", 1)[1].split("\n## ", 1)[0]
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE))
    (site / "fake_documented_parts.py").write_text(code, encoding="utf-8")
    install("acme-parts", "fake_documented", HOOKS)
    return discover(None).registry


def test_both_are_found_and_conform(parts: Any) -> None:
    check_component(parts.load("metric", "acme/shift"), "metric")
    check_component(parts.load("embedding", "acme/levels"), "embedding")


def test_the_metric_measures_what_the_embedding_hears(parts: Any, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name, level in (("loud", 0.1), ("quiet", 0.01)):
        (tmp_path / name).mkdir()
        for number in range(4):
            soundfile.write(
                tmp_path / name / f"{number}.wav", level * generator.standard_normal(4000), 16000, subtype="FLOAT"
            )
    embedding = parts.load("embedding", "acme/levels")()
    loud, quiet = (
        clip_features(embedding, "mel_statistics", ClipSet.of_folder(tmp_path / name)) for name in ("loud", "quiet")
    )
    assert loud.features.shape == (8, 1)  # two whole tenths of a second in each of four clips
    found = measure(parts.load("metric", "acme/shift")(), loud, quiet)
    assert found.value == pytest.approx(20.0, abs=0.5)  # ten times the amplitude
    assert found.interval[0] < found.value < found.interval[1]
    assert found.card["frame_window"] == 0.1
    assert found.card["generated"] == 4


def test_what_has_no_value_is_an_error(parts: Any) -> None:
    one = FeatureSet.of(torch.ones(1, 3))
    with pytest.raises(GenaudioError, match="fewer than 2 clips"):
        parts.load("metric", "acme/shift")().measure(one, one)
    with pytest.raises(GenaudioError, match=r"less than 0\.1 s"):
        parts.load("embedding", "acme/levels")().features(torch.zeros(1, 1, 100))
