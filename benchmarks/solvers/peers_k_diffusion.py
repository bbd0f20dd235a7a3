"""k-diffusion's samplers with their noise turned off, each as a function of a denoiser, x and the noise levels.

`import k_diffusion` loads its training and evaluation modules and, with them, packages that sampling never uses. So
only `k_diffusion.sampling` is loaded here, inside an empty package of that name, and beside a `utils` that has the one
function that sampling takes from there.

Left out: the ancestral Euler and DPM-2, which without noise are `sample_euler` and `sample_dpm_2`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
Run = Callable[[Denoise, Tensor, list[float]], Tensor]

# name: function, options, whether it takes a grid that ends at 0
_SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("sample_euler", {}),
    "heun": ("sample_heun", {}),
    "dpm_2": ("sample_dpm_2", {}),
    "lms 2": ("sample_lms", {"order": 2}),
    "lms 3": ("sample_lms", {"order": 3}),
    "lms 4": ("sample_lms", {"order": 4}),
    "dpmpp_2s": ("sample_dpmpp_2s_ancestral", {"eta": 0.0}),
    "dpmpp_sde": ("sample_dpmpp_sde", {"eta": 0.0}),
    "dpmpp_2m": ("sample_dpmpp_2m", {}),
    "dpmpp_2m_sde midpoint": ("sample_dpmpp_2m_sde", {"eta": 0.0, "solver_type": "midpoint"}),
    "dpmpp_2m_sde heun": ("sample_dpmpp_2m_sde", {"eta": 0.0, "solver_type": "heun"}),
    "dpmpp_3m_sde": ("sample_dpmpp_3m_sde", {"eta": 0.0}),
}
_WITH_NOISE_SAMPLER = ("sample_dpmpp_sde", "sample_dpmpp_2m_sde", "sample_dpmpp_3m_sde", "sample_dpmpp_2s_ancestral")


def installed() -> bool:
    return find_spec("k_diffusion") is not None


@cache
def sampling() -> Any:
    """The module `k_diffusion.sampling`."""
    spec = find_spec("k_diffusion")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("k-diffusion is not installed: see benchmarks/solvers/requirements.txt")
    package = ModuleType("k_diffusion")
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    utils = ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, ndim: x.reshape(*x.shape, *[1] * (ndim - x.ndim))  # type: ignore[attr-defined]
    package.utils = utils  # type: ignore[attr-defined]
    sys.modules["k_diffusion"], sys.modules["k_diffusion.utils"] = package, utils
    return importlib.import_module("k_diffusion.sampling")


def samplers() -> dict[str, Run]:
    """By name."""
    return {name: partial(_sample, *entry) for name, entry in _SAMPLERS.items()}


def _model(denoise: Denoise) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, sigma: denoise(x, float(sigma[0]))


def _sample(function: str, options: dict[str, Any], denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    if function in _WITH_NOISE_SAMPLER:  # multiplied by 0 all the same
        options = {**options, "noise_sampler": lambda sigma, following: 0.0}
    sigmas = torch.tensor(levels, dtype=x.dtype)
    result: Tensor = getattr(sampling(), function)(_model(denoise), x, sigmas, disable=True, **options)
    return result


def fast(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """`sample_dpm_fast`, which makes a grid of its own, uniform in log sigma, between the ends of `levels`."""
    result: Tensor = sampling().sample_dpm_fast(
        _model(denoise), x, levels[-1], levels[0], len(levels) - 1, disable=True, noise_sampler=lambda s, t: 0.0
    )
    return result


def adaptive(denoise: Denoise, x: Tensor, sigma_min: float, sigma_max: float, order: int, rtol: float) -> Tensor:
    """`sample_dpm_adaptive`, its absolute tolerance in the default proportion to the relative one."""
    result: Tensor = sampling().sample_dpm_adaptive(
        _model(denoise), x, sigma_min, sigma_max, disable=True, order=order, rtol=rtol, atol=0.0078 / 0.05 * rtol,
        noise_sampler=lambda s, t: 0.0,
    )  # fmt: skip
    return result
