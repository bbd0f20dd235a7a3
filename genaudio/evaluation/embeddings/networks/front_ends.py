"""The log-mel spectrograms that VGGish and PANNs were trained on, which are not each other's.

Shapes: waveform (batch, time); log-mel (batch, frames, bands).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError


class VGGishLogMel(nn.Module):
    """`ln(mel + 0.01)` of STFT magnitudes at 16 kHz: 64 bands of 125 to 7,500 Hz, 400 samples a frame, one each 160.

    Periodic Hann window, FFT of 512, frames inside the clip alone. Mel is HTK's, `1127 ln(1 + f / 700)`, and triangles
    are straight in mel, not in Hz. Source: AudioSet's VGGish (Hershey et al. 2017).
    """

    BANDS = 64
    WINDOW = 400
    HOP = 160
    _RATE = 16000
    _FFT = 512

    window: Tensor  # (512,): the frame's 400 samples, then silence
    filters: Tensor  # (257, 64)

    def __init__(self) -> None:
        super().__init__()
        hann = torch.hann_window(self.WINDOW, periodic=True, dtype=torch.float64)
        frequency = torch.linspace(0, self._RATE / 2, self._FFT // 2 + 1, dtype=torch.float64)
        edges = torch.tensor([125.0, 7500.0], dtype=torch.float64)
        low, high = self._mel(edges).tolist()
        filters = _triangles(self._mel(frequency), torch.linspace(low, high, self.BANDS + 2, dtype=torch.float64))
        self.register_buffer("window", hann.float(), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    @staticmethod
    def _mel(frequency: Tensor) -> Tensor:
        return 1127 * torch.log1p(frequency / 700)

    def forward(self, waveform: Tensor) -> Tensor:
        """`(batch, time)` to `(batch, 1 + (time - 400) // 160, 64)`."""
        frames = waveform.unfold(-1, self.WINDOW, self.HOP) * self.window
        return torch.log(torch.fft.rfft(frames, self._FFT).abs() @ self.filters + 0.01)


class PANNsLogMel(nn.Module):
    """`10 log10 max(mel, 1e-10)` of STFT powers in Slaney's mel bands, as torchlibrosa computes it.

    Periodic Hann window as long as the FFT, frames centred on multiples of `hop_length`, the clip reflected at its
    ends. Bands are triangles in Hz between points even on Slaney's scale (linear below 1 kHz, logarithmic above), each
    of area 1. Source: Kong et al. 2020, arXiv 1912.10211, and the released code.
    """

    BANDS = 64

    window: Tensor
    filters: Tensor  # (n_fft // 2 + 1, 64)

    def __init__(self, sample_rate: int, n_fft: int, hop_length: int, highest: float, lowest: float = 50.0) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_length = hop_length
        frequency = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
        mel = torch.linspace(_slaney_mel(lowest), _slaney_mel(highest), self.BANDS + 2, dtype=torch.float64)
        edges = torch.tensor([_slaney_hz(value) for value in mel.tolist()], dtype=torch.float64)
        filters = _triangles(frequency, edges) * 2 / (edges[2:] - edges[:-2])
        self.register_buffer("window", torch.hann_window(n_fft, periodic=True), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """`(batch, time)` to `(batch, 1 + time // hop_length, 64)`; clips must be longer than half a window."""
        spectrum = torch.stft(
            waveform, self.n_fft, self.hop_length, window=self.window, pad_mode="reflect", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return 10 * torch.log10((power.mT @ self.filters).clamp_min(1e-10))

    def without_mine(self, weights: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
        """The weights without those of torchlibrosa's layers, which must say what is computed here, if they are there.

        Published checkpoints hold the STFT and the mel filters as convolutions. Raises `GenaudioError` for others:
        the weights are those of a network at another rate.
        """
        phase = torch.arange(self.n_fft // 2 + 1)[:, None] * torch.arange(self.n_fft) % self.n_fft
        angle = phase.double() * (2 * math.pi / self.n_fft)
        mine = {
            "spectrogram_extractor.stft.conv_real.weight": (angle.cos() * self.window.cpu())[:, None],
            "spectrogram_extractor.stft.conv_imag.weight": (-angle.sin() * self.window.cpu())[:, None],
            "logmel_extractor.melW": self.filters.cpu(),
        }
        for name, value in mine.items():
            given = weights.get(name)
            if given is not None and not (
                given.shape == value.shape and torch.allclose(given.double(), value.double(), rtol=0, atol=1e-5)
            ):
                raise GenaudioError(
                    f"{source}: {name} {tuple(given.shape)} is another STFT or mel scale",
                    expected=f"an FFT of {self.n_fft} and {self.BANDS} mel bands",
                    mend="choose the `variant` that the weights are of",
                )
        return {name: value for name, value in weights.items() if name not in mine}


def _triangles(positions: Tensor, edges: Tensor) -> Tensor:
    """Triangles of height 1, `(positions, bands)`: band k rises from edge k to k + 1 and falls to k + 2."""
    rising = (positions[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - positions[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp_min(0)


# Slaney's Auditory Toolbox: 3 mel for 200 Hz below 1 kHz, and 27 mel for each factor of 6.4 above it.
_BREAK_HZ, _BREAK_MEL, _STEP = 1000.0, 15.0, math.log(6.4) / 27


def _slaney_mel(frequency: float) -> float:
    if frequency < _BREAK_HZ:
        return frequency * 3 / 200
    return _BREAK_MEL + math.log(frequency / _BREAK_HZ) / _STEP


def _slaney_hz(mel: float) -> float:
    if mel < _BREAK_MEL:
        return mel * 200 / 3
    return _BREAK_HZ * math.exp((mel - _BREAK_MEL) * _STEP)
