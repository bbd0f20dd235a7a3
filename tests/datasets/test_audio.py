"""Decoding: every format, rate and channel count comes out as asked, and every fault has its reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genaudio.datasets.audio import BadAudioError, convert, decode

Write = Callable[..., Path]


def level(waveform: np.ndarray, rate: int, frequency: float) -> float:
    """Amplitude of a sine of `frequency` in the middle half of a mono signal."""
    middle = waveform[len(waveform) // 4 : -(len(waveform) // 4)]
    window = np.hanning(len(middle))
    phasor = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    return float(2 * np.abs((middle * window * phasor).sum()) / window.sum())


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 1)])
def test_every_format_comes_out_as_asked(write: Write, suffix: str, rate: int, channels: int) -> None:
    data = write(f"tone.{suffix}", seconds=0.6, rate=rate, channels=channels).read_bytes()
    waveform = decode(data, 16000, 1)
    assert waveform.dtype == np.float32
    assert waveform.flags.c_contiguous
    assert waveform.shape[0] == 1
    spare = 3000 if suffix == "mp3" else 2  # an MP3 is padded to whole frames
    assert abs(waveform.shape[1] - 9600) <= spare
    assert level(waveform[0], 16000, 440) == pytest.approx(0.5, rel=0.02)


def test_resampling_keeps_what_fits_and_removes_what_does_not() -> None:
    rate, time = 48000, np.arange(48000) / 48000
    both = 0.4 * np.sin(2 * np.pi * 6000 * time) + 0.4 * np.sin(2 * np.pi * 11000 * time)
    file = io.BytesIO()
    soundfile.write(file, both, rate, format="WAV", subtype="FLOAT")
    waveform = decode(file.getvalue(), 16000, 1)[0]
    assert level(waveform, 16000, 6000) == pytest.approx(0.4, rel=1e-3)
    assert level(waveform, 16000, 5000) < 1e-5  # where 11 kHz would fold to


def test_a_file_of_the_asked_rate_is_bit_exact() -> None:
    samples = np.random.default_rng(0).integers(-32768, 32767, (150_000, 2), dtype=np.int16)  # several blocks
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV")
    np.testing.assert_array_equal(decode(file.getvalue(), 16000, 2), (samples / 32768).T.astype(np.float32))


def test_channels_are_averaged_and_copied() -> None:
    left, right = np.full(100, 0.5), np.full(100, -0.25)
    stereo, mono = io.BytesIO(), io.BytesIO()
    soundfile.write(stereo, np.stack([left, right], axis=1), 16000, format="WAV", subtype="FLOAT")
    soundfile.write(mono, left, 16000, format="WAV", subtype="FLOAT")
    np.testing.assert_array_equal(decode(stereo.getvalue(), 16000, 1), np.full((1, 100), 0.125))
    np.testing.assert_array_equal(decode(mono.getvalue(), 16000, 3), np.full((3, 100), 0.5))
    with pytest.raises(BadAudioError, match="it has 2 channels, and 3 are asked for"):
        decode(stereo.getvalue(), 16000, 3)


def test_faults_have_their_reasons(write: Write) -> None:
    with pytest.raises(BadAudioError, match=r"unreadable: .*not recogni[sz]ed"):
        decode(b"This is no audio.", 16000, 1)
    with pytest.raises(BadAudioError, match="unreadable"):
        decode(b"", 16000, 1)
    with pytest.raises(BadAudioError, match="empty: it holds no frames"):
        decode(write("empty.wav", seconds=0).read_bytes(), 16000, 1)
    flac = write("tone.flac", seconds=2).read_bytes()
    with pytest.raises(BadAudioError, match=r"truncated|unreadable"):
        decode(flac[: len(flac) // 2], 16000, 1)
    file = io.BytesIO()
    soundfile.write(file, np.array([0.0, np.nan, 0.1]), 16000, format="WAV", subtype="FLOAT")
    with pytest.raises(BadAudioError, match="not finite"):
        decode(file.getvalue(), 16000, 1)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("file_format", ["WAV", "WAVEX"])
def test_a_wav_that_was_cut_off_is_told_by_its_header(file_format: str, subtype: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.full((1000, 2), 0.25), 16000, format=file_format, subtype=subtype)
    data, width = file.getvalue(), {"PCM_16": 4, "PCM_24": 6, "FLOAT": 8}[subtype]
    assert decode(data, 16000, 1).shape == (1, 1000)
    with pytest.raises(
        BadAudioError, match=rf"^truncated: {1000 * width - 3 * width} of {1000 * width} bytes of sound$"
    ):
        decode(data[: data.index(b"data") + 8 + 997 * width], 16000, 1)


def test_a_wav_from_a_stream_which_knows_no_length_is_read_to_its_end() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.full(1000, 0.25), 16000, format="WAV", subtype="PCM_16")
    data, place = file.getvalue(), file.getvalue().index(b"data") + 4
    streamed = data[:place] + (0xFFFFFFFF).to_bytes(4, "little") + data[place + 4 :]
    assert decode(streamed, 16000, 1).shape == (1, 1000)


def test_converting_from_memory_is_decoding_a_file():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4410)).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T, 44100, format="WAV", subtype="FLOAT")
    assert (convert(samples, 44100, 16000, 1) == decode(buffer.getvalue(), 16000, 1)).all()
    with pytest.raises(BadAudioError, match="empty"):
        convert(samples[:, :0], 44100, 16000, 1)
    with pytest.raises(BadAudioError, match="not finite"):
        convert(samples * np.float32(np.nan), 44100, 16000, 1)
