"""Training items for anti-memorization guidance: from a dataset to a file, to a model that is guided by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import genaudio
from genaudio.core.errors import DataError, RunError
from genaudio.datasets.base import Clip, Clips
from genaudio.runs.memory import write_memory
from genaudio.runs.model import Model
from genaudio.samplers.guidance.memory_file import read_facts, read_items
from tests.conftest import gen


@pytest.fixture
def model(tiny_run: Path) -> Model:
    return genaudio.load(tiny_run, device="cpu")


@pytest.fixture
def memory(tiny_recipe: Path, tmp_path: Path) -> Path:
    recipe = genaudio.load_recipe(tiny_recipe)
    write_memory(tmp_path / "memory.safetensors", recipe.dataset.open("train"), recipe.representation, limit=70)
    return tmp_path / "memory.safetensors"


def test_items_are_the_encoded_clips_of_mean_0_and_level_1(tiny_recipe: Path, memory: Path, model: Model) -> None:
    recipe = genaudio.load_recipe(tiny_recipe)
    clips = recipe.dataset.open("train")
    items = read_items(str(memory), torch.device("cpu")).double()
    assert items.shape == (70, *model.generator().shape)
    torch.testing.assert_close(items.flatten(1).mean(1), torch.zeros(70).double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(items.flatten(1).square().mean(1), torch.ones(70).double(), atol=2e-3, rtol=0)
    x = recipe.representation.encode(clips.clip(66, 0).waveform[None]).double()
    assert float(torch.corrcoef(torch.stack([x.flatten(), items[66].flatten()]))[0, 1]) > 1 - 1e-5
    _, facts = read_facts(str(memory))
    assert facts["items"] == facts["clips"] == 70
    assert facts["audio"] == {"sample_rate": 8000, "channels": 1, "length": 1000}


def test_generated_clips_keep_away_from_the_items(model: Model, memory: Path, tmp_path: Path) -> None:
    """The memory holds what the model generates without guidance; with it the same seeds must come out apart.

    The x of a model of ten training steps is far from the spectrogram of any sound: the correlation of x with that of
    its own decoded clip is 0.3, hence the low threshold.
    """
    options: dict[str, Any] = {"label": "rain", "seed": 3, "solver": "euler", "schedule": "karras", "num_steps": 6}
    plain, _ = model.generate(3, guidance=[], **options)
    path = tmp_path / "own.safetensors"
    write_memory(path, _Fixed(plain, model), model.representation)
    guidance = {"type": "anti_memorization", "memory": str(path), "threshold": 0.1}
    steered, _ = model.generate(3, guidance=guidance, **options)
    both = torch.cat([plain, steered])
    x = model.representation.encode(both).flatten(1)
    found = torch.corrcoef(x)[3:, :3]
    assert float(found.max()) < 0.85
    alone, _ = model.generate(1, guidance=guidance, first_index=2, **options)
    torch.testing.assert_close(alone[0], steered[2], atol=1e-5, rtol=1e-4)
    far = {"type": "anti_memorization", "memory": str(memory), "threshold": 0.999}
    assert torch.equal(model.generate(3, guidance=far, **options)[0], plain)


def test_a_memory_that_does_not_fit_is_refused_before_sampling(model: Model, memory: Path, tmp_path: Path) -> None:
    other = genaudio.create("representation", "complex_stft", n_fft=126, hop_length=16)
    wrong = tmp_path / "wrong.safetensors"
    write_memory(wrong, genaudio.create("dataset", "procedural").open("train"), other, limit=2)
    with pytest.raises(RunError, match="has the representation"):
        model.plan(guidance={"type": "anti_memorization", "memory": str(wrong)})
    longer = genaudio.create("dataset", "procedural", sample_rate=8000, duration=0.25).open("train")
    write_memory(wrong, longer, model.representation, limit=2)
    with pytest.raises(RunError, match="has the audio"):
        model.plan(guidance={"type": "anti_memorization", "memory": str(wrong)})


def test_gen_sample_says_that_the_memory_is_missing(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sample", tiny_run, "--label", "rain", "--out", tmp_path / "out"]
    words += ["--set", "guidance={type: anti_memorization, memory: no/where}"]
    assert gen(*words) == 2
    error = capsys.readouterr().err
    assert "the memory no/where cannot be read" in error
    assert "gen write-memory" in error


def test_silence_is_left_out_and_nothing_is_an_error(model: Model, tmp_path: Path) -> None:
    clips = torch.zeros(3, 1, 1000)
    with pytest.raises(DataError, match="constant once encoded"):
        write_memory(tmp_path / "m", _Fixed(clips, model), model.representation)
    clips[1] = torch.randn(1, 1000)
    assert write_memory(tmp_path / "m", _Fixed(clips, model), model.representation)["items"] == 1
    with pytest.raises(DataError, match="endlessly many"):
        write_memory(tmp_path / "m", genaudio.create("dataset", "procedural").open("train"), model.representation)


class _Fixed(Clips):
    """Clips that are there already."""

    def __init__(self, waveform: torch.Tensor, model: Model) -> None:
        self.waveform = waveform
        self.sample_rate, self.channels, self.length = model.sample_rate, 1, waveform.shape[-1]
        self.classes, self.size = (), len(waveform)

    def clip(self, index: int, seed: int) -> Clip:
        return Clip(self.waveform[index], None, str(index))
