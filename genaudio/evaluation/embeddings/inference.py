"""What embeddings with weights have in common when they listen.

Shapes: waveform (batch, channels, time).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from genaudio.core.errors import GenaudioError


def mono(waveform: Tensor, *, shortest: int, rate: int) -> Tensor:
    """The average of the channels, `(batch, time)`, float32; raises `GenaudioError` below `shortest` samples."""
    if waveform.ndim != 3 or waveform.shape[1] == 0:
        raise GenaudioError(f"a waveform {tuple(waveform.shape)}", expected="(batch, channels, time)")
    length = waveform.shape[-1]
    if length < shortest:
        raise GenaudioError(
            f"clips of {length} samples, {length / rate:.3f} s at {rate} Hz",
            expected=f"at least {shortest} samples, {shortest / rate:.3f} s",
            mend="take longer clips or another embedding: padding with silence would change what is heard",
        )
    return waveform.float().mean(1)


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Without gradients, in full float32: no autocast and no TF32, which would move features by about 1e-3."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.no_grad(),  # not inference_mode: features may be trained on
            torch.autocast(device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
