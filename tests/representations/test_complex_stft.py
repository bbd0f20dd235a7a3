"""The complex STFT: exact inverse, closed forms, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import soundfile
import torch
from pydantic import ValidationError

from genaudio.core.errors import GenaudioError
from genaudio.representations.complex_stft import ComplexSTFT


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return 2 * torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0)) - 1


def test_shapes_of_the_published_settings() -> None:
    assert ComplexSTFT().shape(16000) == (2, 256, 128)
    assert ComplexSTFT(hop_length=256, time_multiple=32).shape(88200) == (2, 256, 352)
    assert ComplexSTFT(n_fft=254).shape(16000) == (2, 128, 128)
    assert ComplexSTFT().shape(16000, channels=2) == (4, 256, 128)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 4000, 16000, 16001])
def test_encoded_shape_is_the_declared_one(length: int) -> None:
    stft = ComplexSTFT()
    assert tuple(stft.encode(noise(1, 2, length)).shape[1:]) == stft.shape(length, 2)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_fft": 254},
        {"hop_length": 256, "time_multiple": 32},
        {"exponent": 0.2, "scale": 0.6},
        {"exponent": 1.0, "scale": 1.0, "normalized": False, "time_multiple": 1},
        {"window": "blackman", "n_fft": 512},
        {"window": "hamming", "hop_length": 100},
    ],
)
@pytest.mark.parametrize("length", [130, 4001])
def test_round_trip(settings: dict[str, object], dtype: torch.dtype, tolerance: float, length: int) -> None:
    stft = ComplexSTFT(**settings)
    waveform = noise(2, 2, length, dtype=dtype)
    decoded = stft.decode(stft.encode(waveform), length)
    assert decoded.dtype == dtype
    assert (decoded - waveform).abs().max() < tolerance


def test_round_trip_of_a_quiet_tail() -> None:
    # A decay over 200 dB: compression must not lose what is small.
    time = torch.arange(8000, dtype=torch.float64)
    waveform = (torch.sin(0.3 * time) * 10 ** (-time / 800))[None, None]
    stft = ComplexSTFT()
    decoded = stft.decode(stft.encode(waveform), 8000)
    assert (decoded - waveform)[..., 7000:].abs().max() < 1e-14


def test_round_trip_of_recorded_speech(shared_data: Path) -> None:
    path = sorted((shared_data / "fsdd").rglob("*.wav"))[0]
    samples, _ = soundfile.read(path, dtype="float32")
    waveform = torch.from_numpy(samples)[None, None]
    stft = ComplexSTFT()
    decoded = stft.decode(stft.encode(waveform), waveform.shape[-1])
    assert (decoded - waveform).abs().max() < 2e-6


def test_a_pure_tone_lands_in_its_bin_with_the_closed_form_magnitude() -> None:
    n_fft, k = 512, 40
    time = torch.arange(8192, dtype=torch.float64)
    waveform = torch.cos(2 * math.pi * k / n_fft * time)[None, None]
    stft = ComplexSTFT(n_fft=n_fft, exponent=1, scale=1)
    x = stft.encode(waveform)[0, :, :, 20]
    magnitude = x.square().sum(0).sqrt()
    # A periodic Hann window sums to n_fft / 2; half of a cosine is at +k; its neighbours get half of that.
    peak = n_fft / 4 / math.sqrt(n_fft)
    assert magnitude.argmax() == k
    assert magnitude[k] == pytest.approx(peak, rel=1e-12)
    assert magnitude[k + 1] == pytest.approx(peak / 2, rel=1e-12)
    assert magnitude[k + 2 :].max() < 1e-12


def test_parseval() -> None:
    stft = ComplexSTFT(n_fft=256, hop_length=64, exponent=1, scale=1, time_multiple=1)
    waveform = torch.zeros(1, 1, 4096, dtype=torch.float64)
    waveform[..., 512:3584] = noise(1, 1, 3072, dtype=torch.float64)
    power = stft.encode(waveform).square().sum(1)[0]
    two_sided = 2 * power.sum() - power[0].sum() - power[-1].sum()
    # Squared Hann windows at a quarter of their length sum to 3/8 * 4.
    assert two_sided == pytest.approx(1.5 * float(waveform.square().sum()), rel=1e-12)


def test_linear_without_compression() -> None:
    stft = ComplexSTFT(exponent=1)
    a, b = noise(2, 1, 1, 3000, dtype=torch.float64)
    torch.testing.assert_close(stft.encode(2 * a - b), 2 * stft.encode(a) - stft.encode(b), rtol=0, atol=1e-13)


def test_compression_keeps_the_phase_and_raises_the_magnitude() -> None:
    plain, compressed = ComplexSTFT(exponent=1, scale=1), ComplexSTFT(exponent=0.5, scale=0.3)
    waveform = noise(1, 1, 3000, dtype=torch.float64)
    x, y = (torch.complex(*r.encode(waveform)[0]) for r in (plain, compressed))
    torch.testing.assert_close(y.abs(), 0.3 * x.abs().sqrt())
    torch.testing.assert_close(y.angle(), x.angle())


def test_gain_is_a_power_of_the_gain() -> None:
    stft, waveform = ComplexSTFT(), noise(1, 1, 3000, dtype=torch.float64)
    torch.testing.assert_close(stft.encode(4 * waveform), 2 * stft.encode(waveform))


def test_features_are_ordered_channel_by_channel() -> None:
    stft, waveform = ComplexSTFT(), noise(1, 3, 3000)
    x = stft.encode(waveform)
    for channel in range(3):
        alone = stft.encode(waveform[:, channel : channel + 1])
        torch.testing.assert_close(x[:, 2 * channel : 2 * channel + 2], alone)


def test_items_do_not_depend_on_their_batch() -> None:
    stft, waveform = ComplexSTFT(), noise(3, 1, 3000)
    x = stft.encode(waveform)
    assert torch.equal(x[1:2], stft.encode(waveform[1:2]))
    assert torch.equal(stft.decode(x, 3000)[1:2], stft.decode(x[1:2], 3000))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [0.1, 0.5])
def test_silence_has_value_and_gradient_zero(dtype: torch.dtype, exponent: float) -> None:
    stft = ComplexSTFT(exponent=exponent)
    waveform = torch.zeros(1, 1, 2000, dtype=dtype, requires_grad=True)
    x = stft.encode(waveform)
    x.sum().backward()
    assert not x.any()
    assert waveform.grad is not None
    assert not waveform.grad.any()
    y = torch.zeros_like(x).requires_grad_()
    decoded = stft.decode(y, 2000)
    decoded.sum().backward()
    assert not decoded.any()
    assert y.grad is not None
    assert torch.isfinite(y.grad).all()


@pytest.mark.parametrize("level", [1e-5, 1e-15, 1e-25, 1e-40])
def test_gradients_of_tiny_signals_are_finite(level: float) -> None:
    waveform = (level * noise(1, 1, 2000)).requires_grad_()
    ComplexSTFT(exponent=0.1).encode(waveform).sum().backward()
    assert waveform.grad is not None
    assert torch.isfinite(waveform.grad).all()


def test_gradient_matches_finite_differences() -> None:
    stft = ComplexSTFT(n_fft=16, hop_length=8, time_multiple=1)
    waveform = noise(1, 1, 20, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: stft.decode(1.1 * stft.encode(w), 20), waveform)


def test_full_precision_under_autocast() -> None:
    stft, waveform = ComplexSTFT(), noise(1, 1, 3000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = stft.encode(waveform)
        decoded = stft.decode(x, 3000)
    assert torch.equal(x, stft.encode(waveform))
    assert torch.equal(decoded, stft.decode(x, 3000))


def test_half_precision_comes_out_as_float32() -> None:
    stft = ComplexSTFT()
    x = stft.encode(noise(1, 1, 3000).bfloat16())
    assert x.dtype == torch.float32
    assert stft.decode(x.bfloat16(), 3000).dtype == torch.float32


def test_what_cannot_be_inverted_is_refused() -> None:
    with pytest.raises(ValidationError, match="hop_length 500 is too long for a hann window of 510 samples"):
        ComplexSTFT(hop_length=500)
    with pytest.raises(ValidationError, match="multiple of 2"):
        ComplexSTFT(n_fft=511)


def test_wrong_shapes_are_explained() -> None:
    stft = ComplexSTFT()
    with pytest.raises(GenaudioError, match=r"shape \(1, 100\)[\s\S]*\(batch, channels, time\)"):
        stft.encode(torch.zeros(1, 100))
    with pytest.raises(GenaudioError, match=r"\(1, 2, 128, 16\)[\s\S]*\(batch, 2 \* channels, 256, frames\)"):
        stft.decode(torch.zeros(1, 2, 128, 16), 100)
    with pytest.raises(GenaudioError, match=r"5000 samples asked of 16 frames[\s\S]*at most 1920"):
        stft.decode(torch.zeros(1, 2, 256, 16), 5000)
