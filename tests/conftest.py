"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import genaudio
from genaudio.cli.app import main


def gen(*words: object) -> int:
    """The exit status of `gen` with these words, run in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return int(stop.value.code or 0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches of decoded audio and of features that no other session has filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENAUDIO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real audio (`fsdd/`, `esc10/`): $GENAUDIO_DATA, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("GENAUDIO_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real audio at {folder}; set GENAUDIO_DATA to a folder that holds fsdd/ and esc10/")
    return folder


TINY_RECIPE = """\
version: 1
name: tiny
seed: 7
device: cpu
dataset: {type: procedural, sample_rate: 8000, duration: 0.125, classes: [metal, rain]}
representation: {type: complex_stft, n_fft: 62, hop_length: 16, scale: 2.0, time_multiple: 8}
network:
  type: efficient_unet
  preset: tiny
  channels: 8
  multipliers: [1, 2]
  attention_levels: [1]
  heads: 1
  groups: 4
  embedding_size: 16
conditioner: {type: label, embedding_size: 8}
training: {steps: 10, batch_size: 4, checkpoint_every: 3, log_every: 2, precision: float32, workers: 1}
sampling: {clips_per_class: 2, num_steps: 3}
embedding: {type: mel_statistics, rate: 8000, bands: 4}
metric: {type: fad, draws: 10}
evaluation: {reference_clips: 16}
audit: {enabled: false}
"""


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that trains, samples and reports in a few seconds: a network of a few thousand weights."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(TINY_RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of that recipe through all stages without a stop. Tests that write to it copy it first."""
    return genaudio.run(tiny_recipe, tmp_path_factory.mktemp("tiny") / "run", quiet=True)
