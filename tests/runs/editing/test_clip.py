"""Any clip in the model's format, or an error that says what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from genaudio.core.errors import DataError, RunError
from genaudio.runs.editing.clip import edit_label, fitted_clip, read_clip
from genaudio.runs.model import AudioFormat

AUDIO = AudioFormat(sample_rate=8000, channels=1, length=1000)
STEREO = AudioFormat(sample_rate=8000, channels=2, length=1000)


def tone(rate: int, seconds: float, hertz: float = 440.0) -> torch.Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hertz * torch.arange(round(rate * seconds)) / rate)[None]


def test_a_clip_of_the_models_format_is_left_as_it_is():
    assert torch.equal(fitted_clip(tone(8000, 0.125), 8000, AUDIO), tone(8000, 0.125))
    assert torch.equal(fitted_clip(tone(8000, 0.125)[0].numpy(), 8000, AUDIO), tone(8000, 0.125))


def test_rate_channels_and_length_are_brought_to_the_models():
    stereo = torch.cat([tone(44100, 0.1), 0 * tone(44100, 0.1)])
    clip = fitted_clip(stereo, 44100, AUDIO)
    assert clip.shape == (1, 1000)
    # The mean of both channels, resampled; the ends are the filter's.
    torch.testing.assert_close(clip[:, 60:740], tone(8000, 0.1)[:, 60:740] / 2, rtol=0, atol=2e-3)
    assert not clip[:, 801:].any()
    both = fitted_clip(tone(8000, 0.125), 8000, STEREO)
    assert torch.equal(both[0], both[1])


def test_a_longer_clip_needs_a_start():
    long = torch.arange(4000.0)[None] / 8000
    with pytest.raises(
        DataError, match=r"the clip lasts 0.5 s\n\s+expected  at most the 0.125 s .*\n\s+mend .*--start"
    ):
        fitted_clip(long, 8000, AUDIO)
    assert torch.equal(fitted_clip(long, 8000, AUDIO, start=0.25), long[:, 2000:3000])
    assert fitted_clip(long, 8000, AUDIO, start=0.45)[0, 399:402].tolist() == [*long[0, 3999:].tolist(), 0, 0]
    with pytest.raises(DataError, match=r"start is 0.5\n\s+expected  a time in the clip"):
        fitted_clip(long, 8000, AUDIO, start=0.5)


@pytest.mark.parametrize(
    ("waveform", "rate", "audio", "message"),
    [
        (torch.zeros(1, 800), 8000, AUDIO, "silent"),
        (torch.full((1, 800), torch.nan), 8000, AUDIO, "not finite"),
        (torch.zeros(1, 0), 8000, AUDIO, "empty"),
        (torch.zeros(2, 3, 4), 8000, AUDIO, r"shape \(2, 3, 4\)"),
        (torch.ones(3, 800), 8000, STEREO, "it has 3 channels, and 2 are asked for"),
        (torch.ones(1, 800), 8000.5, AUDIO, "sample_rate is 8000.5"),
        (torch.ones(1, 800), 0, AUDIO, "sample_rate is 0"),
    ],
)
def test_what_cannot_be_edited_is_explained(waveform, rate, audio, message):
    with pytest.raises(DataError, match=message):
        fitted_clip(waveform, rate, audio)


def test_a_file_is_read_as_datasets_read_it(tmp_path):
    path = tmp_path / "tone.flac"
    soundfile.write(path, np.repeat(tone(16000, 0.1).T.numpy(), 2, axis=1), 16000)
    expected = fitted_clip(tone(16000, 0.1), 16000, AUDIO)
    torch.testing.assert_close(read_clip(path, AUDIO), expected, rtol=0, atol=1e-4)
    path.write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"tone\.flac cannot be used: unreadable"):
        read_clip(path, AUDIO)
    with pytest.raises(DataError, match=r"none\.wav: No such file or directory\n    expected  a sound file"):
        read_clip(tmp_path / "none.wav", AUDIO)
    with pytest.raises(DataError, match=r"Is a directory\n    expected  a sound file"):
        read_clip(tmp_path, AUDIO)


def test_an_edit_by_a_model_with_classes_needs_one(model):
    assert edit_label(model, "rain") == "rain"
    with pytest.raises(RunError, match=r"the model has classes\n.*metal, rain\n\s+mend\s+--label metal"):
        edit_label(model, None)
    with pytest.raises(RunError, match="did you mean 'rain'"):
        edit_label(model, "rian")
