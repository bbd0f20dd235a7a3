from __future__ import annotations

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.preconditioners.flow import Flow


@pytest.mark.parametrize("t", [0.001, 0.3, 0.9, 0.999])
def test_on_data_of_unit_variance_the_coefficients_are_those_of_the_line(t: float) -> None:
    """With y_t = (1 - t) x: x0 = y_t - t u."""
    found = Flow(sigma_data=1.0).coefficients(torch.tensor(t / (1 - t), dtype=torch.float64))
    assert [c.item() for c in found] == pytest.approx((1 - t, -t, 1 - t, t), rel=1e-12)


def test_scaling_data_and_levels_together_scales_the_denoiser() -> None:
    x, sigma = torch.randn(3, 4, dtype=torch.float64), torch.tensor([0.01, 1.0, 50.0], dtype=torch.float64)
    unit, scaled = (
        Flow(sigma_data=deviation).denoiser(lambda y, t, condition: torch.tanh(y + t[:, None]))
        for deviation in (1.0, 0.2)
    )
    torch.testing.assert_close(scaled(0.2 * x, 0.2 * sigma, None), 0.2 * unit(x, sigma, None))


def test_the_range_is_a_thousandth_from_either_end() -> None:
    ends = torch.tensor([Flow().sigma_min, Flow().sigma_max], dtype=torch.float64)
    times = Flow(sigma_data=1.0).coefficients(ends).c_noise
    assert times.tolist() == pytest.approx([0.001, 0.999], rel=2e-3)


def test_the_deviation_of_the_data_is_needed() -> None:
    with pytest.raises(GenaudioError, match=r"(?s)sigma_data is still 'auto'.*fitted"):
        Flow().denoiser(lambda x, level, condition: x)
