"""Where the arithmetic happens: the device of a recipe, its precision, and what makes it repeatable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from genaudio.core.errors import RunError


def resolve_device(name: str) -> torch.device:
    """The device that a recipe's `device` names; `auto` takes CUDA, then Apple's MPS, then the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RunError(f"device {name!r}", expected="auto, cpu, cuda, cuda:N or mps") from None
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise RunError(
            f"device {name!r}",
            expected=f"one of the {count} CUDA devices here" if count else "a CUDA device, and this machine has none",
            mend="use device: auto, or device: cpu",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RunError(f"device {name!r}", expected="an Apple GPU, and this machine has none", mend="use device: auto")
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16 in hardware (on a CPU: AVX-512 BF16 or AMX)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def use_bf16(precision: Literal["auto", "float32", "bf16"], device: torch.device) -> bool:
    """Whether the network computes in bf16 under a recipe's `precision`."""
    return precision == "bf16" or (precision == "auto" and has_bf16(device))


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic kernels inside; the settings and the random state are put back afterwards."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it before its first call
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(device.type == "cuda", warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
