from __future__ import annotations

import math

import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.preconditioners.edm import EDM
from genaudio.preconditioners.velocity import Velocity

SIGMA = torch.logspace(-4, 4, 9, dtype=torch.float64)


def test_it_is_edm_with_the_other_sign_and_another_time() -> None:
    velocity, edm = Velocity(sigma_data=0.4).coefficients(SIGMA), EDM(sigma_data=0.4).coefficients(SIGMA)
    torch.testing.assert_close(velocity.c_skip, edm.c_skip)
    torch.testing.assert_close(velocity.c_out, -edm.c_out)
    torch.testing.assert_close(velocity.c_in, edm.c_in)
    torch.testing.assert_close((velocity.c_noise * math.pi / 2).tan(), SIGMA / 0.4)


def test_the_weights_of_the_paper_on_data_of_unit_variance() -> None:
    snr = SIGMA**-2
    torch.testing.assert_close(Velocity(sigma_data=1.0).loss_weight(SIGMA), snr + 1)
    truncated = Velocity(sigma_data=1.0, weighting="truncated_snr")
    torch.testing.assert_close(truncated.loss_weight(SIGMA), snr.clamp_min(1))


@pytest.mark.parametrize("weighting", ["velocity", "truncated_snr"])
def test_the_weight_is_on_the_error_of_x_so_scaling_the_data_changes_no_loss(weighting: str) -> None:
    unit, scaled = (Velocity(sigma_data=deviation, weighting=weighting) for deviation in (1.0, 0.2))
    torch.testing.assert_close(scaled.loss_weight(0.2 * SIGMA) * 0.2**2, unit.loss_weight(SIGMA))


def test_the_range_is_that_of_log_snr_20() -> None:
    assert (Velocity().sigma_min, Velocity().sigma_max) == pytest.approx((math.exp(-10), math.exp(10)), rel=1e-4)


def test_the_deviation_of_the_data_is_needed() -> None:
    for weighting in ("velocity", "truncated_snr"):
        with pytest.raises(GenaudioError, match="sigma_data is still 'auto'"):
            Velocity(weighting=weighting).loss_weight(SIGMA)
    with pytest.raises(GenaudioError, match="sigma_data is still 'auto'"):
        Velocity().denoiser(lambda x, level, condition: x)
