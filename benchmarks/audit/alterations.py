"""What happens to a copy: noise, lost bands, codecs' and generative models' ways of being not quite exact.

Shapes: sounds `(time,)`, float32, at `RATE`. Every change takes a sound and a source of random numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.functional import griffinlim, phase_vocoder

RATE = 16000
Sound = NDArray[np.float32]
Change = Callable[[Sound, np.random.Generator], Sound]
_SIZE, _HOP = 512, 128
_WINDOW = torch.hann_window(_SIZE)


def noisy(sound: Sound, snr: float, draws: np.random.Generator) -> Sound:
    """White noise, `snr` dB below the mean power of the whole clip."""
    level = np.sqrt(np.mean(np.square(sound))) * 10 ** (-snr / 20)
    return (sound + level * draws.standard_normal(len(sound))).astype(np.float32)


def resampled(sound: Sound, rate: float) -> Sound:
    """What is left at a lower rate."""
    return np.asarray(soxr.resample(soxr.resample(sound, RATE, rate), rate, RATE), np.float32)


def slower(sound: Sound, factor: float) -> Sound:
    """Played more slowly, and so lower."""
    return np.asarray(soxr.resample(sound, RATE, RATE * factor), np.float32)


def stretched(sound: Sound, factor: float) -> Sound:
    """Longer at the same pitch, by a phase vocoder."""
    advance = torch.linspace(0, np.pi * _HOP, _SIZE // 2 + 1)[:, None]
    return _sound(phase_vocoder(_spectrum(sound), 1 / factor, advance), round(len(sound) * factor))


def griffin_lim(sound: Sound, seed: int = 0) -> Sound:
    """Its magnitudes only, with phases found anew from random ones."""
    torch.manual_seed(seed)
    magnitude = _spectrum(sound).abs()
    return griffinlim(magnitude, _WINDOW, _SIZE, _HOP, _SIZE, 1.0, 8, 0.99, len(sound), True).numpy()


def compressed_noise(sound: Sound, snr: float, draws: np.random.Generator, exponent: float = 0.5) -> Sound:
    """Gaussian noise added to the coefficients |X|^exponent e^(i phase) of the STFT: what a model of them leaves."""
    spectrum = _spectrum(sound)
    compressed = torch.polar(spectrum.abs().pow(exponent), spectrum.angle())
    level = float(compressed.abs().square().mean().sqrt()) * 10 ** (-snr / 20) / np.sqrt(2)
    noise = torch.from_numpy(draws.standard_normal((2, *compressed.shape))).float() * level
    compressed = compressed + torch.complex(noise[0], noise[1])
    return _sound(torch.polar(compressed.abs().pow(1 / exponent), compressed.angle()), len(sound))


def tilted(sound: Sound, decibel: float) -> Sound:
    """Equalised by a straight line over the octaves: `-decibel` at 62.5 Hz, `+decibel` at 8 kHz."""
    spectrum = np.fft.rfft(sound)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / RATE), 62.5) / 62.5) / 7
    return np.fft.irfft(spectrum * 10 ** (decibel * (2 * octaves - 1) / 20), len(sound)).astype(np.float32)


def _spectrum(sound: Sound) -> Tensor:
    return torch.stft(torch.from_numpy(np.ascontiguousarray(sound)), _SIZE, _HOP, window=_WINDOW, return_complex=True)


def _sound(spectrum: Tensor, length: int) -> Sound:
    return torch.istft(spectrum, _SIZE, _HOP, window=_WINDOW, length=length).numpy()


def _tilt_of_either_sign(sound: Sound, draws: np.random.Generator) -> Sound:
    return tilted(sound, float(draws.choice([-6, 6])))


def _as_a_model_would(sound: Sound, draws: np.random.Generator) -> Sound:
    factor = float(draws.uniform(0.98, 1.02))
    return compressed_noise(tilted(stretched(sound, factor), float(draws.choice([-3, 3]))), 20, draws)


def _all_at_once(sound: Sound, draws: np.random.Generator) -> Sound:
    return noisy(griffin_lim(_tilt_of_either_sign(np.roll(0.3 * sound, 1974), draws)), 30, draws)


CHANGES: dict[str, Change] = {
    "gain of -20 dB": lambda x, draws: 0.1 * x,
    "shifted by 0.1234 s": lambda x, draws: np.roll(x, 1974),
    "noise at 40 dB SNR": lambda x, draws: noisy(x, 40, draws),
    "noise at 20 dB SNR": lambda x, draws: noisy(x, 20, draws),
    "resampled to 11.025 kHz and back": lambda x, draws: resampled(x, 11025),
    "3% slower": lambda x, draws: slower(x, 1.03),
    "3% longer, pitch kept": lambda x, draws: stretched(x, 1.03),
    "equalised, tilt of ±6 dB": _tilt_of_either_sign,
    "phases rebuilt by Griffin-Lim": lambda x, draws: griffin_lim(x),
    "noise at 20 dB SNR on the compressed STFT": lambda x, draws: compressed_noise(x, 20, draws),
    "noise at 15 dB SNR on the compressed STFT": lambda x, draws: compressed_noise(x, 15, draws),
    "±2% longer, tilt of ±3 dB, 20 dB SNR on the compressed STFT": _as_a_model_would,
    "gain, shift, tilt of ±6 dB, Griffin-Lim, noise at 30 dB SNR": _all_at_once,
}
STITCH_CHANGES: dict[str, Change] = {
    "noise at 40 dB SNR": lambda x, draws: noisy(x, 40, draws),
    "phases rebuilt by Griffin-Lim": lambda x, draws: griffin_lim(x),
    "noise at 20 dB SNR on the compressed STFT": lambda x, draws: compressed_noise(x, 20, draws),
    "tilt of ±6 dB, noise at 30 dB SNR": lambda x, draws: noisy(_tilt_of_either_sign(x, draws), 30, draws),
}
