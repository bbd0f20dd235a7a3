"""The folded waveform: where each sample goes, and the exact way back."""

from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.representations.waveform import Waveform


@pytest.mark.parametrize("length", [1, 128, 16000, 16001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_is_exact(length: int, dtype: torch.dtype) -> None:
    representation, waveform = Waveform(), torch.randn(2, 2, length, dtype=dtype)
    x = representation.encode(waveform)
    assert tuple(x.shape[1:]) == representation.shape(length, 2)
    assert torch.equal(representation.decode(x, length), waveform)


def test_each_column_holds_consecutive_samples() -> None:
    x = Waveform(fold=4, time_multiple=2).encode(torch.arange(10.0)[None, None])
    assert x.shape == (1, 1, 4, 4)
    assert x[0, 0, :, 1].tolist() == [4, 5, 6, 7]
    assert x[0, 0, :, 2].tolist() == [8, 9, 0, 0]


def test_shape_of_a_second() -> None:
    assert Waveform().shape(16000) == (1, 128, 128)


def test_energy_is_kept() -> None:
    waveform = torch.randn(1, 2, 1000, dtype=torch.float64)
    assert Waveform().encode(waveform).square().sum() == pytest.approx(float(waveform.square().sum()), rel=1e-12)


def test_wrong_shapes_are_explained() -> None:
    with pytest.raises(GenaudioError, match=r"\(batch, channels, time\)"):
        Waveform().encode(torch.zeros(100))
    with pytest.raises(GenaudioError, match=r"\(batch, channels, 128, columns\)"):
        Waveform().decode(torch.zeros(1, 1, 64, 16), 10)
    with pytest.raises(GenaudioError, match="at most 2048 samples"):
        Waveform().decode(torch.zeros(1, 1, 128, 16), 5000)
