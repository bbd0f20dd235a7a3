"""Where windows lie in a clip: one after the other, all of them whole, and every sample in one at least.

An embedding that hears windows gives a frame of features for each; no window is drawn at random.
"""

from __future__ import annotations


def window_starts(length: int, window: int, hop: int) -> tuple[int, ...]:
    """First samples of the windows of a clip: every `hop`, the last one flush with the end of the clip.

    Frame i therefore begins at `min(i * hop, length - window)`. A clip that is shorter than a window has one, at 0.
    """
    if length <= window:
        return (0,)
    starts = list(range(0, length - window + 1, hop))
    if starts[-1] + window < length:
        starts.append(length - window)
    return tuple(starts)
