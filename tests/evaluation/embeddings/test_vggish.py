from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from genaudio.core.errors import GenaudioError
from genaudio.core.files import sha256
from genaudio.evaluation.embeddings import vggish
from genaudio.evaluation.embeddings.networks.front_ends import VGGishLogMel
from genaudio.evaluation.embeddings.networks.vggish import VGGishNetwork
from genaudio.evaluation.embeddings.vggish import VGGish, divided_by_peak
from tests.evaluation.embeddings.conftest import channels_averaged, heard_alike_alone, noise

Build = Callable[..., VGGish]


@pytest.fixture
def thin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: Any) -> Build:
    """VGGish with few channels and 6 dimensions; its checkpoint has the published names."""
    build = partial(VGGishNetwork, (2, 3, 4, 5), hidden=9, dimensions=6)
    torch.save(spelling.randomised(build()).state_dict(), tmp_path / "vggish.pth")
    monkeypatch.setattr(vggish, "VGGishNetwork", build)
    return partial(VGGish, weights=str(tmp_path / "vggish.pth"))


def network_of(spelling: Any) -> torch.nn.Module:
    return spelling.randomised(VGGishNetwork((2, 3, 4, 5), hidden=9, dimensions=6))  # type: ignore[no-any-return]


def test_examples_are_96_frames_one_after_the_other(thin: Build, spelling: Any) -> None:
    """Each is what its own 15,600 samples give, alone."""
    embedding = thin()
    audio = noise(2, 1, 48000)
    found = embedding.features(audio)
    assert found.shape == (2, 1 + (48000 - 15600) // 15360, 6)
    assert (found.dtype, found.device.type) == (torch.float64, "cpu")
    network, log_mel = network_of(spelling), VGGishLogMel()
    for number in range(found.shape[1]):
        part = audio[:, 0, 15360 * number : 15360 * number + 15600]
        expected = network(log_mel(part)).detach().double()
        torch.testing.assert_close(found[:, number], expected, rtol=1e-4, atol=1e-5)


def test_times_are_those_of_the_clip(thin: Build) -> None:
    plain, dense, dcase = thin(), thin(hop=0.5), thin(protocol="dcase2023_task7")
    assert (plain.sample_rate, plain.frame_window, plain.frame_hop) == (16000, 0.975, 0.96)
    assert (dense.sample_rate, dense.frame_window, dense.frame_hop) == (16000, 0.975, 0.5)
    assert (dcase.sample_rate, dcase.frame_window, dcase.frame_hop) == (22050, 15600 / 22050, 8000 / 22050)
    assert thin(protocol="dcase2023_task7", native_rate=44100).sample_rate == 44100


def test_a_hop_of_two_frames_hears_the_same_examples_and_more(thin: Build) -> None:
    audio = noise(1, 1, 48000)
    coarse, fine = thin().features(audio), thin(hop=0.48).features(audio)
    assert fine.shape == (1, 1 + (48000 - 15600) // 7680, 6)
    torch.testing.assert_close(fine[:, ::2], coarse, rtol=1e-4, atol=1e-5)


def dcase_evaluator(pcm: np.ndarray[Any, Any], network: torch.nn.Module) -> torch.Tensor:
    """The published procedure: integers over their positive peak, each window of 16,000 samples by itself."""
    samples = pcm.astype(np.float64)
    samples /= max(0.1, samples.max())
    rows = []
    for start in range(0, len(samples) - 16000 + 1, 8000):
        window = torch.from_numpy(samples[start : start + 16000]).float()
        frames = VGGishLogMel()(window[None])
        assert frames.shape == (1, 98, 64)
        rows.append(network(frames[:, :96])[0])
    return torch.stack(rows).detach().double()


@pytest.mark.parametrize("length", [88200, 16000, 31999, 31600])
def test_the_protocol_of_dcase_2023_task_7_is_followed(length: int, thin: Build, spelling: Any) -> None:
    """Clips of 4 s at 22,050 Hz, of one window, and of lengths at which 96 more frames would fit but no window does."""
    embedding = thin(protocol="dcase2023_task7")
    pcm = (noise(length).clamp(-1, 0.3) * 20000).round().short()  # the largest magnitude is negative
    pcm[length // 3] = -32768
    found = embedding.features((pcm.float() / 32768)[None, None])[0]
    expected = dcase_evaluator(pcm.numpy(), network_of(spelling))
    assert found.shape == (1 + (length - 16000) // 8000, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_protocol_of_dcase_hears_no_gain_and_the_standard_one_does(thin: Build) -> None:
    audio = noise(1, 1, 32000)
    dcase, standard = thin(protocol="dcase2023_task7"), thin()
    torch.testing.assert_close(dcase.features(audio), dcase.features(audio / 8), rtol=1e-4, atol=1e-5)
    assert (standard.features(audio) - standard.features(audio / 8)).abs().max() > 0.01


def test_only_a_positive_peak_counts_and_silence_stays_silent() -> None:
    audio = torch.tensor([[0.5, -0.8, 0.25], [0.0, 0.0, 0.0], [-0.5, -0.1, 0.0]])
    found = divided_by_peak(audio)
    assert torch.equal(found[0], torch.tensor([1.0, -1.6, 0.5]))
    assert torch.equal(found[1], torch.zeros(3))
    assert found[2].tolist() == pytest.approx([-0.5 * 327680, -0.1 * 327680, 0.0])


def test_the_last_relu_is_applied_on_demand(thin: Build) -> None:
    audio = noise(3, 1, 16000)
    plain = thin().features(audio)
    assert (plain < 0).any()
    assert torch.equal(thin(activation=True).features(audio), plain.relu())


def test_a_clip_is_heard_the_same_in_any_batch_and_channels_are_averaged(thin: Build) -> None:
    embedding = thin()
    audio = noise(70, 1, 16000)
    heard_alike_alone(embedding, audio, rtol=1e-5, atol=1e-6)
    channels_averaged(embedding, audio[:3], rtol=1e-4, atol=1e-4)


def test_clips_below_one_example_are_refused(thin: Build) -> None:
    assert thin().features(noise(1, 1, 15600)).shape == (1, 1, 6)
    with pytest.raises(GenaudioError, match=r"15599 samples, 0.975 s at 16000 Hz\n.*at least 15600 samples, 0.975 s"):
        thin().features(noise(1, 1, 15599))
    with pytest.raises(GenaudioError, match=r"15999 samples, 0.726 s at 22050 Hz\n.*at least 16000 samples"):
        thin(protocol="dcase2023_task7").features(noise(1, 1, 15999))


def test_fields_of_one_protocol_are_refused_by_the_other() -> None:
    with pytest.raises(ValidationError, match="native_rate belongs to the protocol dcase2023_task7"):
        VGGish(native_rate=22050)
    with pytest.raises(ValidationError, match="hop belongs to the standard protocol"):
        VGGish(protocol="dcase2023_task7", hop=0.5)
    with pytest.raises(ValidationError, match=r"hop 0.125 s is not a multiple of 0.01 s"):
        VGGish(hop=0.125)


def test_the_hash_is_of_the_file_and_weights_of_another_network_are_refused(thin: Build, tmp_path: Path) -> None:
    embedding = thin()
    assert embedding.weights_sha256 == sha256(tmp_path / "vggish.pth")
    assert embedding.classes == ()
    torch.save({"features.0.weight": torch.zeros(2, 1, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(GenaudioError, match=r"other.pth lacks features.0.bias, .* and 13 more\n.*the 18 tensors"):
        thin(weights=str(tmp_path / "other.pth")).features(noise(1, 1, 16000))


def test_weights_are_published_where_and_as_they_are_said_to_be() -> None:
    assert vggish.PUBLISHED.file_name == "vggish-10086976.pth"
    assert vggish.PUBLISHED.file_name.removeprefix("vggish-").startswith(vggish.PUBLISHED.sha256_prefix)


def test_building_draws_no_random_numbers(thin: Build) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    thin().features(torch.ones(1, 1, 16000))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_weights_of_the_published_size_are_loaded_and_give_128_dimensions(tmp_path: Path) -> None:
    with torch.device("meta"):
        names = {name: value.shape for name, value in VGGishNetwork().state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.randn(shape, generator=generator) / max(1, shape[1:].numel()) ** 0.5
        if len(shape) > 1
        else torch.zeros(shape)
        for name, shape in names.items()
    }
    torch.save(state, tmp_path / "full.pth")
    save_file(state, tmp_path / "full.safetensors")
    audio = noise(2, 1, 32000)
    found = [VGGish(weights=str(tmp_path / f"full.{suffix}")).features(audio) for suffix in ("pth", "safetensors")]
    assert found[0].shape == (2, 2, 128)
    assert found[0].std() > 0.01
    assert torch.equal(*found)
