from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.inference import exact, mono


def test_channels_are_averaged() -> None:
    audio = torch.tensor([[[1.0, 2.0], [3.0, -2.0]]], dtype=torch.float64)
    found = mono(audio, shortest=2, rate=16000)
    assert torch.equal(found, torch.tensor([[2.0, 0.0]]))
    assert found.dtype == torch.float32


def test_what_is_no_waveform_or_too_short_is_refused() -> None:
    for shape in ((3, 100), (3, 0, 100)):
        with pytest.raises(GenaudioError, match=r"expected  \(batch, channels, time\)"):
            mono(torch.zeros(shape), shortest=1, rate=16000)
    with pytest.raises(GenaudioError, match=r"clips of 800 samples, 0.050 s at 16000 Hz\n.*at least 1600 .*0.100 s"):
        mono(torch.zeros(1, 1, 800), shortest=1600, rate=16000)


def test_arithmetic_is_float32_whatever_surrounds_it() -> None:
    layer, x = torch.nn.Linear(64, 64), torch.randn(8, 64)
    plain = layer(x).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
        with exact(torch.device("cpu")):
            inside = layer(x)
    assert torch.equal(inside, plain)
    assert not inside.requires_grad


def fails_inside() -> None:
    with exact(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == "highest"
        raise ValueError("inside")


def test_settings_are_given_back_even_after_an_error() -> None:
    before = (torch.get_float32_matmul_precision(), torch.backends.cudnn.conv.fp32_precision)
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(ValueError, match="inside"):
            fails_inside()
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert torch.backends.cudnn.conv.fp32_precision == before[1]
