"""Decoding: a file's bytes become a float32 waveform (channels, frames) of the asked rate and channel count.

Reads what libsndfile reads (wav, flac, ogg, mp3, and more). Resampling is soxr's HQ: stop band below -130 dB.
Everything that is wrong with a file is a `BadAudioError` with the reason; a caller collects those by file name.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Waveform = NDArray[np.float32]  # (channels, frames)

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_BLOCK = 65536  # frames read at a time; libsndfile has crashed on minutes of Vorbis in one call
_UNKNOWN = 0x7FFFF000  # a WAV's length from here on: its writer was a stream, which could not go back to fill it in


class BadAudioError(Exception):
    """A file that cannot be used; its text is the reason."""


def decode(data: bytes, sample_rate: int, channels: int) -> Waveform:
    """The audio in `data`, the bytes of a file, at `sample_rate` Hz with `channels` channels.

    Mono is copied to every channel, several channels are averaged to mono; any other change of the channel count is a
    `BadAudioError`, as are unreadable, empty and truncated files and samples that are not finite.
    """
    samples, rate = _read(data, channels)
    return _resampled(samples, rate, sample_rate)


def convert(waveform: Waveform, rate: int, sample_rate: int, channels: int) -> Waveform:
    """A waveform of `rate` Hz that is in memory, as `decode` would give it had it been read from a file."""
    if not waveform.size:
        raise BadAudioError("empty: it holds no frames")
    if not np.isfinite(waveform).all():
        raise BadAudioError("it holds samples that are not finite")
    return _resampled(_matched(waveform.T, channels), rate, sample_rate)


def _resampled(samples: NDArray[np.float32], rate: int, sample_rate: int) -> Waveform:
    """`samples` (frames, channels) as a waveform (channels, frames) of `sample_rate` Hz."""
    if rate != sample_rate:
        samples = soxr.resample(samples, rate, sample_rate, quality="HQ")
        if not len(samples):
            raise BadAudioError(f"too short to resample from {rate} to {sample_rate} Hz")
    return np.ascontiguousarray(samples.T, dtype=np.float32)


def _read(data: bytes, channels: int) -> tuple[NDArray[np.float32], int]:
    """Samples (frames, channels) as float32, and their rate."""
    _check_wav(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            promised, rate, lossy = int(file.frames), int(file.samplerate), file.format in {"MP3", "MPEG"}
            blocks = [_matched(block, channels) for block in _blocks(file)]
    except (soundfile.SoundFileError, RuntimeError) as error:
        # libsndfile's own words, without the name of the object in memory.
        raise BadAudioError(f"unreadable: {getattr(error, 'error_string', str(error)).rstrip('.')}") from error
    if not blocks:
        raise BadAudioError("empty: it holds no frames")
    samples = np.concatenate(blocks)
    if len(samples) < promised and not lossy:  # an MP3 header only estimates
        raise BadAudioError(f"truncated: {len(samples)} of {promised} frames")
    if not np.isfinite(samples).all():
        raise BadAudioError("it holds samples that are not finite")
    return samples, rate


def _check_wav(data: bytes) -> None:
    """Raise `BadAudioError` for a WAV that promises more than there is: libsndfile takes what is left for the whole."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    place, frame = 12, 1
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        place += 8
        if name == b"fmt " and place + 14 <= len(data):
            frame = max(1, struct.unpack_from("<H", data, place + 12)[0])
        if name == b"data":
            found = len(data) - place
            if size < _UNKNOWN and size - found >= frame:
                raise BadAudioError(f"truncated: {found} of {size} bytes of sound")
            return
        place += size + size % 2


def _blocks(file: Any) -> Any:
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        yield block


def _matched(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """`samples` (frames, any) with `channels` channels."""
    given = samples.shape[1]
    if given == channels:
        return samples
    if channels == 1:
        mono: NDArray[np.float32] = samples.mean(axis=1, keepdims=True, dtype=np.float32)
        return mono
    if given == 1:
        return np.repeat(samples, channels, axis=1)
    raise BadAudioError(f"it has {given} channels, and {channels} are asked for; only 1 -> n and n -> 1 are defined")
