"""The clip that is edited, brought to the format that a model makes.

Shapes: waveform (channels, time), float32, full scale at 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from genaudio.core.errors import DataError, RunError
from genaudio.core.files import sha256
from genaudio.datasets.audio import BadAudioError, Waveform, convert, decode
from genaudio.reports.audio import SILENT_DBFS, level

if TYPE_CHECKING:
    from genaudio.runs.model import AudioFormat, Model

_ROUNDING = 2  # samples by which resampling may miss a length


@dataclass(frozen=True)
class Source:
    """The clip of an edit: its file, the model's part of it, and where that begins in s (None: at the beginning)."""

    path: Path
    waveform: Tensor  # (channels, time)
    start: float | None

    @classmethod
    def of(cls, model: Model, path: Path, start: float | None) -> Source:
        """The clip in a file; raises `DataError` if it cannot be used."""
        return cls(path, read_clip(path, model.audio, start), start)

    def facts(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"file": self.path.name, "sha256": sha256(self.path), "start": self.start or 0.0}


def edit_label(model: Model, label: str | None) -> str | None:
    """The label of an edit; raises `RunError` for an unknown one, and for none where the model has classes."""
    if label is None and model.conditional:
        raise RunError(
            "no label, and the model has classes",
            expected=f"the class to make of the clip: {', '.join(model.classes)}",
            mend=f"--label {model.classes[0]}",
        )
    model.label_number(label)
    return label


def read_clip(path: Path, audio: AudioFormat, start: float | None = None) -> Tensor:
    """The clip in a sound file; see `fitted_clip`. Raises `DataError` with the name of a file that cannot be used."""
    try:
        return _fitted(decode(path.read_bytes(), audio.sample_rate, audio.channels), audio, start)
    except BadAudioError as error:
        raise _unusable(str(path), error) from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", expected="a sound file", mend="check the path") from None


def fitted_clip(
    waveform: Tensor | ArrayLike, sample_rate: int, audio: AudioFormat, start: float | None = None
) -> Tensor:
    """A waveform `(time,)` or `(channels, time)` as a clip of the model's rate, channel count and length.

    As in a dataset: resampled with soxr's HQ, mono copied or several channels averaged, silence after a shorter one.
    The level is left alone. Of a longer one `start` (s) says where the part of the model's length begins; without it,
    a longer clip is an error, as are a silent one, NaN, and an impossible change of the channel count.
    """
    array = np.asarray(waveform.detach().cpu() if isinstance(waveform, Tensor) else waveform, dtype=np.float32)
    if array.ndim not in (1, 2):
        raise DataError(f"a waveform of shape {array.shape}", expected="(time,) or (channels, time)")
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int) or sample_rate < 1:
        raise DataError(f"sample_rate is {sample_rate!r}", expected="the waveform's rate in Hz, an integer")
    try:
        converted = convert(np.atleast_2d(array), sample_rate, audio.sample_rate, audio.channels)
        return _fitted(converted, audio, start)
    except BadAudioError as error:
        raise _unusable("the waveform", error) from None


def _unusable(what: str, error: BadAudioError) -> DataError:
    return DataError(f"{what} cannot be used: {error}", expected="a finite, audible sound of 1 channel or the model's")


def _fitted(waveform: Waveform, audio: AudioFormat, start: float | None) -> Tensor:
    duration, longest = waveform.shape[1] / audio.sample_rate, audio.length / audio.sample_rate
    if start is None and waveform.shape[1] > audio.length + _ROUNDING:
        raise DataError(
            f"the clip lasts {duration:.3g} s",
            expected=f"at most the {longest:.3g} s that the model makes",
            mend="say where the part to edit begins, in s: start= in Python, --start on the command line; 0 is the "
            "beginning",
        )
    if start is not None and not 0 <= start < duration:
        raise DataError(f"start is {start:g}", expected=f"a time in the clip, from 0 to below {duration:.3g} s")
    first = round((start or 0) * audio.sample_rate)
    part = waveform[:, first : first + audio.length]
    if level(part).mark == "silent":
        raise BadAudioError(f"it is silent (RMS below {SILENT_DBFS:g} dBFS)")
    clip = torch.zeros(audio.channels, audio.length)
    clip.numpy()[:, : part.shape[1]] = part
    return clip
