"""The power-compressed complex spectrogram of EDMSound: real and imaginary parts as features.

Shapes: waveform (batch, channels, time); x (batch, 2 * channels, n_fft // 2 + 1, frames), its features ordered channel
by channel: real of channel 0, imaginary of channel 0, real of channel 1, …
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.representations.base import Range, Representation
from genaudio.representations.regions import weights

# Below this magnitude (-360 dB) the compressed value is 0 and so is its gradient: the slope of |X|^exponent grows
# without bound towards 0, and its powers would leave float32's range.
_FLOOR = 1e-18

# Smallest ratio of the lowest to the highest point of the summed squared windows, by whose root rounding errors grow.
_MIN_ENVELOPE = 1e-2

_WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window, "blackman": torch.blackman_window}


class ComplexSTFT(Representation):
    """`scale * |X|^exponent * e^(j angle X)` of the centred short-time Fourier transform X; the inverse is exact.

    All n_fft // 2 + 1 bins are kept, DC and Nyquist included (510 gives 256, 254 gives 128). The waveform is extended
    by silence until the number of frames is a multiple of `time_multiple`, so that nothing is lost at the end;
    `decode` cuts it back. Round trip: 2e-6 in float32, 1e-12 in float64 for signals in [-1, 1].
    """

    n_fft: int = parameter(
        510, ge=4, le=65536, multiple_of=2, description="Length of the transform and of the window", unit="samples",
        source="EDMSound's public code",
    )  # fmt: skip
    hop_length: int = parameter(
        128, ge=1, description="Distance between frames", unit="samples", source="EDMSound's public code, SC09"
    )
    window: Literal["hann", "hamming", "blackman"] = parameter(
        "hann", description="Window function, periodic", source="EDMSound's public code"
    )
    normalized: bool = parameter(
        True, description="Divide X by sqrt(n_fft), so that its size does not depend on n_fft for noise-like sounds",
        source="EDMSound's public code",
    )  # fmt: skip
    exponent: float = parameter(
        0.5, gt=0, le=1, description="Power to which magnitudes are compressed", source="EDMSound's public code, 2023"
    )
    scale: float = parameter(
        4.0,
        gt=0,
        description="Factor after the compression; 4 brings sounds that peak near full scale to a standard deviation "
        "near the 0.5 that the default noise levels are made for",
    )
    time_multiple: int = parameter(
        16, ge=1, description="The number of frames is brought to a multiple of this by trailing silence", unit="frames"
    )

    @model_validator(mode="after")
    def _invertible(self) -> Self:
        # The inverse divides by the sum of squared windows over the frames, a function of time with period hop_length.
        squared = self._window(torch.float64, torch.device("cpu")).square()
        padded = math.ceil(self.n_fft / self.hop_length) * self.hop_length
        envelope = torch.nn.functional.pad(squared, (0, padded - self.n_fft)).view(-1, self.hop_length).sum(0)
        if envelope.min() < _MIN_ENVELOPE * envelope.max():
            raise ValueError(
                f"hop_length {self.hop_length} is too long for a {self.window} window of {self.n_fft} samples: "
                f"the transform cannot be inverted; set hop_length to {self.n_fft // 2} or less"
            )
        return self

    def frames(self, length: int) -> int:
        """Number of frames of a waveform of `length` samples, padding included."""
        # Frame k is centred on sample k * hop_length: the last centre lies at or after the last sample.
        needed = math.ceil(length / self.hop_length) + 1
        return math.ceil(needed / self.time_multiple) * self.time_multiple

    def shape(self, length: int, channels: int = 1) -> tuple[int, int, int]:
        """`(2 * channels, n_fft // 2 + 1, frames)`."""
        return 2 * channels, self.n_fft // 2 + 1, self.frames(length)

    def encode(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, 2 * channels, freq, frames)`; half precision comes out as float32."""
        if waveform.ndim != 3:
            raise GenaudioError(
                f"a waveform of shape {tuple(waveform.shape)}",
                expected="(batch, channels, time)",
                mend="add the missing axes with waveform[None]",
            )
        batch, channels, length = waveform.shape
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = _at_least_float32(waveform)
            frames = self.frames(length)
            waveform = torch.nn.functional.pad(waveform, (0, (frames - 1) * self.hop_length - length))
            spectrum = torch.stft(
                waveform.reshape(batch * channels, -1),
                self.n_fft,
                self.hop_length,
                window=self._window(waveform.dtype, waveform.device),
                center=True,
                pad_mode="constant",
                normalized=self.normalized,
                return_complex=True,
            )
            spectrum = self.scale * _power(spectrum, self.exponent)
            parts = torch.view_as_real(spectrum)  # (batch * channels, freq, frames, 2)
            parts = parts.view(batch, channels, *parts.shape[1:]).permute(0, 1, 4, 2, 3)
            return parts.reshape(batch, 2 * channels, *parts.shape[3:])

    def decode(self, x: Tensor, length: int) -> Tensor:
        """`(batch, 2 * channels, freq, frames)` back to `(batch, channels, length)`."""
        bins = self.n_fft // 2 + 1
        if x.ndim != 4 or x.shape[1] % 2 or x.shape[2] != bins:
            raise GenaudioError(
                f"x of shape {tuple(x.shape)}",
                expected=f"(batch, 2 * channels, {bins}, frames), as encode gives with n_fft {self.n_fft}",
                mend="decode with the representation that encoded",
            )
        batch, features, _, frames = x.shape
        available = (frames - 1) * self.hop_length
        if length > available:
            raise GenaudioError(
                f"{length} samples asked of {frames} frames",
                expected=f"at most {available} samples",
                mend="decode with the length that was encoded",
            )
        with torch.autocast(x.device.type, enabled=False):
            x = _at_least_float32(x)
            parts = x.reshape(batch * features // 2, 2, bins, frames).permute(0, 2, 3, 1)
            spectrum = torch.view_as_complex(parts.contiguous()) / self.scale
            waveform = torch.istft(
                _power(spectrum, 1 / self.exponent),
                self.n_fft,
                self.hop_length,
                window=self._window(x.dtype, x.device),
                center=True,
                normalized=self.normalized,
                length=available,
            )
            return waveform.view(batch, features // 2, available)[..., :length]

    def mask(
        self, length: int, channels: int, sample_rate: int, *, spans: Sequence[Range] = (), bands: Sequence[Range] = ()
    ) -> Tensor:
        """`(1, freq, frames)`: frames by the time of their centre, bins by their frequency.

        The edges are half a window and two bins wide, what a frame and a bin of a Hann window reach to.
        """
        frames, nyquist = self.frames(length), sample_rate / 2
        over_time = over_freq = torch.ones(1, 1, dtype=torch.float64)
        if spans:
            centres = torch.arange(frames, dtype=torch.float64) * self.hop_length / sample_rate
            edge = self.n_fft / 2 / sample_rate
            over_time = weights(centres, spans, (0, length / sample_rate), edge)[None]
        if bands:
            bins = torch.arange(self.n_fft // 2 + 1, dtype=torch.float64) * sample_rate / self.n_fft
            over_freq = weights(bins, bands, (0, nyquist), 2 * sample_rate / self.n_fft)[:, None]
        return (over_freq * over_time)[None].float()

    def _window(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        return _WINDOWS[self.window](self.n_fft, dtype=dtype, device=device)


def _power(spectrum: Tensor, exponent: float) -> Tensor:
    """`|X|^exponent * e^(j angle X)`, with value and gradient 0 where X is 0."""
    if exponent == 1:
        return spectrum
    magnitude = spectrum.abs()
    gain = magnitude.clamp_min(_FLOOR) ** (exponent - 1)
    return spectrum * torch.where(magnitude > _FLOOR, gain, 0)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
