"""The log-mel spectrogram that classifiers listen to and reports draw.

Shapes: waveform (..., time); log-mel (..., bands, frames), in dB where 0 dB is the power of a sine of amplitude 1.
The one place that uses torchaudio's mel filters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError

FLOOR_DB = -120.0


class LogMel(nn.Module):
    """Power of a Hann-windowed STFT in triangular mel bands, in dB re a full-scale sine, never below `floor_db`.

    Bands overlap so that their powers add up to the power of the frame (Parseval), however far the FFT is padded.
    `window` and `hop` are seconds; a clip of n samples has `n // hop_length + 1` frames, the first centred on sample 0
    and silence assumed around the clip. The FFT is padded until its bins are finer than the lowest band, so that no
    band is ever empty, whatever the window. Filters: HTK mel scale, height 1.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        bands: int = 64,
        window: float = 0.032,
        hop: float = 0.010,
        floor_db: float = FLOOR_DB,
    ) -> None:
        super().__init__()
        if bands < 1 or sample_rate < 1 or window <= 0 or hop <= 0:
            raise GenaudioError(
                f"a log-mel spectrogram of {bands} bands at {sample_rate} Hz, window {window} s, hop {hop} s",
                expected="positive numbers",
            )
        self.sample_rate = sample_rate
        self.bands = bands
        self.floor_db = floor_db
        self.window_length = max(2, round(sample_rate * window))
        self.hop_length = max(1, round(sample_rate * hop))
        self.n_fft = _fft_size(sample_rate, bands, self.window_length)
        hann = torch.hann_window(self.window_length, periodic=True, dtype=torch.float64)
        # Parseval: one side of the spectrum of a sine of amplitude 1 sums to n_fft / 4 times the window's energy.
        energy = self.n_fft / 4 * hann.square().sum()
        self.register_buffer("window", (hann / energy.sqrt()).float(), persistent=False)
        self.register_buffer("filters", mel_filters(sample_rate, self.n_fft, bands), persistent=False)

    window: Tensor
    filters: Tensor  # (n_fft // 2 + 1, bands)

    def forward(self, waveform: Tensor) -> Tensor:
        """`(..., time)` to `(..., bands, frames)` in dB."""
        lead, length = waveform.shape[:-1], waveform.shape[-1]
        if length == 0:
            raise GenaudioError("a clip without samples", expected="at least one sample")
        flat = waveform.reshape(-1, length)
        spectrum = torch.stft(
            flat,
            self.n_fft,
            self.hop_length,
            self.window_length,
            self.window.to(flat.dtype),
            center=True,
            pad_mode="constant",  # a reflected edge would need clips longer than half a window
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = self.filters.to(flat.dtype).mT @ power
        decibel = 10 * torch.log10(mel.clamp_min(10 ** (self.floor_db / 10)))
        return decibel.reshape(*lead, self.bands, -1)


def channel_average(decibel: Tensor) -> Tensor:
    """The level of the mean power over channels: `(..., channels, bands, frames)` to `(..., bands, frames)`, in dB.

    Averaging waveforms instead would cancel what two channels hold in opposite phase.
    """
    return 10 * torch.log10(torch.pow(10.0, decibel / 10).mean(-3))


def mel_filters(sample_rate: int, n_fft: int, bands: int) -> Tensor:
    """Triangular mel filters of height 1 from 0 Hz to the Nyquist frequency: `(n_fft // 2 + 1, bands)`."""
    import torchaudio.functional

    filters: Tensor = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, f_min=0.0, f_max=sample_rate / 2, n_mels=bands, sample_rate=sample_rate, norm=None
    )
    return filters


def hz_to_mel(frequency: float) -> float:
    """HTK's mel of a frequency in Hz."""
    return 2595 * math.log10(1 + frequency / 700)


def mel_to_hz(mel: float) -> float:
    """The frequency in Hz of an HTK mel value."""
    return 700 * (10 ** (mel / 2595) - 1)


def _fft_size(sample_rate: int, bands: int, window_length: int) -> int:
    """The smallest power of two that holds the window and has a bin inside the lowest, narrowest band."""
    lowest = mel_to_hz(hz_to_mel(sample_rate / 2) / (bands + 1))
    return 1 << math.ceil(math.log2(max(window_length, sample_rate / lowest)))
