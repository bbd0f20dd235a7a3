"""A clip in windows that overlap by half.

Shapes: waveform (channels, time); windows (windows, channels, window).
"""

from __future__ import annotations

from torch import Tensor

from genaudio.core.errors import GenaudioError


def windowed(waveform: Tensor, sample_rate: int, seconds: float | None) -> Tensor:
    """`(channels, time)` to `(windows, channels, window)`, half overlapping; one window of a clip that is no longer.

    None is the whole clip. What is left at the end beyond the last full window is not heard, as in EDMSound's code.
    """
    length = waveform.shape[1]
    window = length if seconds is None else min(round(seconds * sample_rate), length)
    if window < 2:
        raise GenaudioError(
            f"windows of {window} samples", expected="at least 2", mend="longer windows, or clips that are not empty"
        )
    return waveform.unfold(1, window, window // 2).movedim(1, 0)
