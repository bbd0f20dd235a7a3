"""Dormand and Prince's embedded Runge-Kutta pair, with steps chosen by its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genaudio.samplers.adaptive import AdaptiveSolver, Pair, Trial
from genaudio.samplers.base import Denoiser
from genaudio.samplers.sigma_data import number

# Dormand and Prince 1980, Table 2 (Hairer, Nørsett and Wanner, Solving ODEs I, Table 5.2)
_SHARES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_ROWS = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)  # order 5 less order 4


class RungeKuttaAdaptive(AdaptiveSolver):
    """Dormand-Prince 5(4): as many steps of order 5 as the tolerance asks for, six evaluations each.

    Integrates x / sqrt(sigma^2 + sigma_data^2) by the angle atan(sigma / sigma_data), as `runge_kutta` does; the last
    slope of a step is the first of the next. Of a schedule only the ends matter: the first level, and the last one
    above 0, from which D is extrapolated to 0. Every item of a batch chooses its own steps (`adaptive.py`), so a batch
    may take more calls than the evaluations of any of its items. Each step waits for the device once.

    On mixtures of Gaussians (`benchmarks/solvers/gaussian_mixture.py --problem all --adaptive`) the default tolerance
    takes 40 to 56 evaluations an item and leaves a root mean square error of 4e-4 to 1e-3, 1e-4 takes 42 to 60 and
    leaves 9e-6 to 2e-4. A network in half precision is not smooth enough for tolerances below about 1e-2.
    """

    @property
    def order(self) -> int:
        """5."""
        return 5

    def pair(self) -> Pair:
        """The methods whose difference is the error."""
        return _DormandPrince(number(self.sigma_data))


@dataclass(frozen=True)
class _DormandPrince(Pair):
    """The pair on x / rho, rho = sqrt(sigma^2 + sigma_data^2), by the angle."""

    sigma_data: float

    @property
    def cost(self) -> int:
        """6: of the 7 slopes the first is the last of the step before."""
        return 6

    @property
    def error_order(self) -> int:
        """5."""
        return 5

    def trial(self, denoiser: Denoiser, x: Tensor, clean: Tensor, s: float, t: float) -> Trial:
        """A step of order 5, and its difference to that of order 4."""
        data = self.sigma_data
        begin, end = math.atan(s / data), math.atan(t / data)
        slopes = [self._slope(x, clean, s)]
        y = x
        for share, row in zip(_SHARES, _ROWS, strict=True):
            sigma = t if share == 1 else data * math.tan(begin + share * (end - begin))
            rho = math.hypot(sigma, data)
            y = torch.mul(x, rho / math.hypot(s, data))
            for slope, weight in zip(slopes, row, strict=True):
                y.add_(slope, alpha=rho * (end - begin) * weight)
            clean = denoiser(y, sigma)
            slopes.append(self._slope(y, clean, sigma))
        error = torch.zeros_like(x)
        for slope, weight in zip(slopes, _ERROR, strict=True):
            error.add_(slope.detach(), alpha=math.hypot(t, data) * (end - begin) * weight)
        return Trial(y, error, clean)

    def level(self, s: float, t: float, share: float) -> float:
        """By the angle."""
        begin, end = math.atan(s / self.sigma_data), math.atan(t / self.sigma_data)
        return self.sigma_data * math.tan(begin + share * (end - begin))

    def _slope(self, x: Tensor, clean: Tensor, sigma: float) -> Tensor:
        """d(x / rho) / d(angle) = (x - (rho / sigma_data)^2 D) sigma_data / (rho sigma)."""
        rho = math.hypot(sigma, self.sigma_data)
        return torch.sub(x, clean, alpha=(rho / self.sigma_data) ** 2).mul_(self.sigma_data / (rho * sigma))
