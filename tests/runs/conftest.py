"""A listener to progress, and a plugin whose components fail in all the ways in which a plugin's may."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from genaudio.core.progress import Progress
from genaudio.core.registry import Registry
from genaudio.plugins.manager import registry


class Said(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


FAULTY = """
from typing import ClassVar
import torch
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.metrics.base import Measurement, Metric

class NoNumber(Metric):
    def measure(self, generated, reference):
        return Measurement(float("nan"), (0.0, float("inf")), {"size": float("inf"), "notes": ["own"]})

class Raises(Metric):
    def measure(self, generated, reference):
        return {}["gone"]

class OfNoise(Metric):
    "Fails with what is no noise."
    def measure(self, generated, reference):
        if generated.features.mean().abs() > 0.5:
            raise ValueError("not noise\\nat all")
        return Measurement(1.0, (1.0, 1.0))

class Unwritable(Metric):
    def measure(self, generated, reference):
        return Measurement(torch.tensor(2.0), (1.0, 3.0), {"fact": torch.zeros(2)})

class Deaf(Embedding):
    sample_rate: ClassVar[int] = 8000
    weights_sha256: ClassVar[None] = None
    def features(self, waveform):
        return {}["ears"]

class NoNumbers(Deaf):
    "Gives no numbers of what has high peaks, as noise has beside the first clip of the tests, or else of the others."
    peaky: bool = True
    def features(self, waveform):
        crest = waveform.abs().amax((1, 2)) / waveform.square().mean((1, 2)).sqrt()
        found = crest.double()[:, None, None] + torch.tensor([0.0, 1.0, 2.0])
        found[(crest > 3) == self.peaky] = float("nan")
        return found

class Hears(Raises):
    @property
    def protocol_embedding(self):
        return {"type": "faulty/deaf"}
"""
COMPONENTS = {
    "metric": {
        "no_number": "NoNumber",
        "raises": "Raises",
        "of_noise": "OfNoise",
        "unwritable": "Unwritable",
        "hears": "Hears",
    },
    "embedding": {"deaf": "Deaf", "no_numbers": "NoNumbers"},
}


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The distribution `faulty-plugin`, registered for one test."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "fake_faulty.py").write_text(textwrap.dedent(FAULTY))
    monkeypatch.syspath_prepend(str(folder))
    staged = Registry("faulty-plugin", "1.2")
    for kind, classes in COMPONENTS.items():
        for name, cls in classes.items():
            staged.add(kind, f"faulty/{name}", f"fake_faulty:{cls}", "of a test")
    monkeypatch.setattr(registry(), "_entries", dict(registry()._entries))
    registry().merge(staged)
    yield
    sys.modules.pop("fake_faulty", None)
