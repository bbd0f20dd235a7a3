from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio.functional
from numpy.typing import NDArray
from scipy.signal import get_window

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.networks.front_ends import PANNsLogMel, VGGishLogMel
from tests.evaluation.embeddings.conftest import layers_of_torchlibrosa


def clip(length: int, seed: int = 0) -> torch.Tensor:
    """Noise, with a stretch of digital silence and one of a loud sine."""
    audio = 0.1 * torch.randn(length, generator=torch.Generator().manual_seed(seed))
    audio[length // 4 : length // 2] = 0
    audio[length // 2 :] += 0.5 * torch.sin(0.3 * torch.arange(length - length // 2))
    return audio


def vggish_spelled_out(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frame by frame and band by band, after the formulas of AudioSet's release."""

    def mel(hertz: float) -> float:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    edges = [mel(125.0) + (mel(7500.0) - mel(125.0)) * k / 65 for k in range(66)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    rows = []
    for start in range(0, len(audio) - 400 + 1, 160):
        magnitude = np.abs(np.fft.fft(audio[start : start + 400] * hann, 512))
        bands = []
        for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for number in range(1, 257):  # 0 Hz is left out
                place = mel(number * 16000 / 512)
                total += magnitude[number] * max(
                    0.0, min((place - low) / (centre - low), (high - place) / (high - centre))
                )
            bands.append(np.log(total + 0.01))
        rows.append(bands)
    return np.array(rows)


def test_vggish_hears_what_the_formulas_say() -> None:
    audio = clip(2400)
    found = VGGishLogMel()(audio[None])[0]
    assert found.shape == (1 + (2400 - 400) // 160, 64)
    np.testing.assert_allclose(found.numpy(), vggish_spelled_out(audio.double().numpy()), atol=2e-5)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    assert torch.allclose(VGGishLogMel()(torch.zeros(1, 800)), torch.tensor(0.01).log())
    assert torch.allclose(PANNsLogMel(16000, 512, 160, 8000.0)(torch.zeros(1, 800)), torch.tensor(-100.0))


def slaney_filters(rate: int, n_fft: int, highest: float) -> NDArray[np.float64]:
    """Bands x bins: triangles in Hz of area 1 between points that are even on the Auditory Toolbox's scale."""
    hertz = np.linspace(0, 40000, 4_000_001)
    mel = np.where(hertz < 1000, 3 * hertz / 200, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / np.log(6.4))
    points = np.interp(np.linspace(np.interp(50.0, hertz, mel), np.interp(highest, hertz, mel), 66), mel, hertz)
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    return np.stack(
        [
            np.interp(bins, points[k : k + 3], [0.0, 2 / (points[k + 2] - points[k]), 0.0], left=0, right=0)
            for k in range(64)
        ]
    )


@pytest.mark.parametrize(("rate", "n_fft", "hop", "highest"), [(16000, 512, 160, 8000.0), (32000, 1024, 320, 14000.0)])
def test_panns_hear_what_the_formulas_say(rate: int, n_fft: int, hop: int, highest: float) -> None:
    audio = clip(hop * 20 + 7)
    padded = np.pad(audio.double().numpy(), n_fft // 2, mode="reflect")
    window = get_window("hann", n_fft, fftbins=True)
    frames = np.stack([padded[k * hop : k * hop + n_fft] * window for k in range(21)])
    power = np.abs(np.fft.fft(frames)[:, : n_fft // 2 + 1]) ** 2
    expected = 10 * np.log10(np.maximum(power @ slaney_filters(rate, n_fft, highest).T, 1e-10))
    found = PANNsLogMel(rate, n_fft, hop, highest)(audio[None])[0]
    assert found.shape == (21, 64)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(("rate", "n_fft", "highest"), [(16000, 512, 8000.0), (32000, 1024, 14000.0)])
def test_the_filters_of_panns_are_torchaudios_of_slaney(rate: int, n_fft: int, highest: float) -> None:
    theirs = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, 50.0, highest, 64, rate, norm="slaney", mel_scale="slaney"
    )
    torch.testing.assert_close(PANNsLogMel(rate, n_fft, 160, highest).filters, theirs, atol=1e-6, rtol=1e-3)


def test_the_front_end_in_a_checkpoint_must_be_the_one_that_is_computed() -> None:
    front, other = PANNsLogMel(16000, 512, 160, 8000.0), PANNsLogMel(16000, 512, 160, 7000.0)
    bias = torch.zeros(3)
    good = layers_of_torchlibrosa(512, front.filters) | {"fc1.bias": bias}
    assert front.without_mine(good, "a file") == {"fc1.bias": bias}
    assert front.without_mine({"fc1.bias": bias}, "a file") == {"fc1.bias": bias}
    with pytest.raises(GenaudioError, match=r"a file: logmel_extractor.melW \(257, 64\) is another STFT or mel scale"):
        front.without_mine(layers_of_torchlibrosa(512, other.filters), "a file")
    wide = PANNsLogMel(32000, 1024, 320, 14000.0)
    with pytest.raises(
        GenaudioError, match=r"expected  an FFT of 512 and 64 mel bands\s+mend      choose the `variant`"
    ):
        front.without_mine(layers_of_torchlibrosa(1024, wide.filters), "a file")
