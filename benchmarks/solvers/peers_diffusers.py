"""diffusers' schedulers, each as a function of a denoiser, x and the noise levels.

Their `set_timesteps` knows a few spacings of a training schedule only. Here it is called for the number of steps, and
then `sigmas` is replaced by the given levels; each step takes the level from there. Schedulers of the
variance-preserving kind get x / sqrt(1 + sigma^2) and are told that the network predicts the clean sample; EDM's get
the preconditioned output that stands for the same D; KDPM2, which takes no clean sample, gets the noise.

Several cast their state and coefficients to float32. `double()` takes the cast away, and nothing else: inside it the
name `torch.float32` in their modules means float64.

Left out: what draws noise by its nature (DDPM, the ancestral ones, DPMSolverSDE, CosineDPMSolverMultistep, TCD, LCM),
what is bound to the steps of a training schedule (PNDM, DDIM, which is Euler's method here), flow matching, and
EDMEulerScheduler, which is Euler's method again.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from itertools import product
from typing import Any

import torch
from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
Run = Callable[[Denoise, Tensor, list[float]], Tensor]


def installed() -> bool:
    return find_spec("diffusers") is not None


@cache
def library() -> Any:
    """The package, its advice about deprecated options silenced."""
    if not installed():
        raise SystemExit("diffusers is not installed: see benchmarks/solvers/requirements.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importlib.import_module("diffusers")
    found.utils.logging.set_verbosity_error()
    return found


class _Double:
    """The module torch, but float32 is float64."""

    def __getattr__(self, name: str) -> Any:
        return torch.float64 if name == "float32" else getattr(torch, name)


@contextlib.contextmanager
def double() -> Iterator[None]:
    """Within, the schedulers' modules and torch's default are in float64."""
    classes = ["DPMSolverMultistep", "DPMSolverSinglestep", "EulerDiscrete", "HeunDiscrete", "KDPM2Discrete", "IPNDM"]
    classes += ["LMSDiscrete", "DEISMultistep", "UniPCMultistep", "SASolver", "EDMDPMSolverMultistep"]
    names = {getattr(library(), _name(each)).__module__ for each in classes}
    modules = [importlib.import_module(name) for name in names]
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        for module in modules:
            module.torch = _Double()  # type: ignore[attr-defined]
        yield
    finally:
        torch.set_default_dtype(before)
        for module in modules:
            module.torch = torch  # type: ignore[attr-defined]


def _name(scheduler: str) -> str:
    return scheduler + "Scheduler"


def _made(scheduler: str, levels: list[float], dtype: torch.dtype, options: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = getattr(library(), _name(scheduler))(**options)
    steps = len(levels) - 1
    made.set_timesteps(steps)
    made.sigmas = torch.tensor(levels, dtype=dtype)
    made.timesteps = torch.arange(steps, dtype=dtype)
    made.set_begin_index(0)
    made.is_scale_input_called = True
    return made


def _at_the_end(made: Any, calls: int) -> None:
    if made.step_index != calls:
        raise RuntimeError(f"{type(made).__name__} is at step {made.step_index} after {calls} calls")


def _preserving(
    scheduler: str, options: dict[str, Any], by_ending: bool, denoise: Denoise, x: Tensor, levels: list[float]
) -> Tensor:
    """A scheduler whose state is alpha x, alpha = 1 / sqrt(1 + sigma^2)."""
    if by_ending:
        options = {**options, "final_sigmas_type": "zero" if levels[-1] == 0 else "sigma_min"}
    made = _made(scheduler, levels, x.dtype, {**options, "prediction_type": "sample"})
    state = x / math.hypot(1, levels[0])
    for i in range(len(levels) - 1):
        sigma = float(made.sigmas[i])
        state = made.step(denoise(state * math.hypot(1, sigma), sigma), made.timesteps[i], state).prev_sample
    _at_the_end(made, len(levels) - 1)
    return state * math.hypot(1, levels[-1])


def _exploding(
    scheduler: str, output: str, step: dict[str, Any], denoise: Denoise, x: Tensor, levels: list[float]
) -> Tensor:
    """A scheduler whose state is x; `output` is what it is given: sample or noise."""
    made = _made(scheduler, levels, x.dtype, {"prediction_type": "sample" if output == "sample" else "epsilon"})
    sigmas = made.sigmas
    called_at = sigmas[:-1]
    if scheduler == "HeunDiscrete":  # its own layout of the levels; to 0 it takes a single evaluation
        last = sigmas[-1:].repeat(2 if levels[-1] else 1)
        made.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), last])
        called_at = made.sigmas if levels[-1] else made.sigmas[:-1]
        called_at = called_at[: 2 * (len(levels) - 1)]
    elif scheduler == "KDPM2Discrete":
        between = sigmas.log().lerp(sigmas.roll(1).log(), 0.5).exp()
        made.sigmas = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2), sigmas[-1:]])
        made.sigmas_interpol = torch.cat([between[:1], between[1:].repeat_interleave(2), between[-1:]])
        called_at = torch.stack([sigmas[:-1], between[1:]], 1).flatten()
        called_at = called_at if levels[-1] else called_at[:-1]
    state = x
    for i, sigma in enumerate(called_at.tolist()):
        clean = denoise(state, sigma)
        given = clean if output == "sample" else (state - clean) / sigma
        state = made.step(given, torch.tensor(float(i)), state, **step).prev_sample
    _at_the_end(made, len(called_at))
    return state


def _edm(options: dict[str, Any], denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """EDMDPMSolverMultistepScheduler: given F of D = c_skip x + c_out F."""
    options = {**options, "final_sigmas_type": "zero" if levels[-1] == 0 else "sigma_min"}
    made = _made("EDMDPMSolverMultistep", levels, x.dtype, options)
    data = made.config.sigma_data
    state = x
    for i in range(len(levels) - 1):
        sigma = float(made.sigmas[i])
        square = sigma**2 + data**2
        output = (denoise(state, sigma) - data**2 / square * state) / (sigma * data / math.sqrt(square))
        state = made.step(output, made.timesteps[i], state).prev_sample
    _at_the_end(made, len(levels) - 1)
    return state


def _ipndm(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """IPNDMScheduler: its alphas and betas are cosine and sine of an angle, its network's output makes the noise."""
    made = library().IPNDMScheduler()
    steps = len(levels) - 1
    made.set_timesteps(steps)
    made.set_begin_index(0)
    sigmas = torch.tensor(levels, dtype=x.dtype)
    made.alphas = 1 / (1 + sigmas**2).sqrt()
    made.betas = sigmas * made.alphas
    state = x * made.alphas[0]
    for i in range(steps):
        alpha, beta = made.alphas[i], made.betas[i]
        noise = (state - alpha * denoise(state / alpha, float(beta / alpha))) / beta
        state = made.step((noise - beta * state) / alpha, i, state).prev_sample
    _at_the_end(made, steps)
    return state / made.alphas[-1]


def schedulers() -> dict[str, Run]:
    """By name."""
    found: dict[str, Run] = {
        "Euler": partial(_exploding, "EulerDiscrete", "sample", {}),
        "Heun": partial(_exploding, "HeunDiscrete", "sample", {}),
        "KDPM2": partial(_exploding, "KDPM2Discrete", "noise", {}),
        "IPNDM": _ipndm,
    }
    for order in (2, 3, 4):
        found[f"LMS {order}"] = partial(_exploding, "LMSDiscrete", "sample", {"order": order})
    return found | _dpm() | _deis() | _unipc() | _sa() | _edm_dpm()


_FINALS: dict[str, dict[str, Any]] = {
    "full order": {"lower_order_final": False},
    "lower order": {"lower_order_final": True},
    "euler at final": {"lower_order_final": False, "euler_at_final": True},
}


def _dpm() -> dict[str, Run]:
    found: dict[str, Run] = {}
    for algorithm, order, rule in product(("dpmsolver++", "dpmsolver"), (1, 2, 3), ("midpoint", "heun")):
        if (order, rule) == (1, "heun"):
            continue
        options = {"algorithm_type": algorithm, "solver_order": order, "solver_type": rule}
        for final, more in _FINALS.items():
            if order > 1 or final == "full order":
                name = f"DPMSolverMultistep {algorithm} {order} {rule}, {final}"
                found[name] = partial(_preserving, "DPMSolverMultistep", {**options, **more}, True)
            if order > 1 and final != "euler at final":
                name = f"DPMSolverSinglestep {algorithm} {order} {rule}, {final}"
                found[name] = partial(_preserving, "DPMSolverSinglestep", {**options, **more}, True)
    return found


def _deis() -> dict[str, Run]:
    return {
        f"DEIS {order}, {'lower order' if lower else 'full order'}": partial(
            _preserving, "DEISMultistep", {"solver_order": order, "lower_order_final": lower}, False
        )
        for order, lower in product((1, 2, 3), (False, True))
        if order > 1 or not lower
    }


def _unipc() -> dict[str, Run]:
    found: dict[str, Run] = {}
    correctors: dict[str, list[int]] = {"": [], " no corrector in step 0": [0], " no corrector": list(range(1000))}
    for order, x0, rule, lower in product((1, 2, 3, 4), (True, False), ("bh1", "bh2"), (False, True)):
        for corrector, without in correctors.items():
            if corrector and (order == 4 or rule == "bh1"):
                continue
            options = {"solver_order": order, "predict_x0": x0, "solver_type": rule, "lower_order_final": lower}
            ending = "lower order" if lower else "full order"
            name = f"UniPC {order} {rule} {'x0' if x0 else 'noise'}{corrector}, {ending}"
            options["disable_corrector"] = without
            found[name] = partial(_preserving, "UniPCMultistep", options, True)
    return found


def _sa() -> dict[str, Run]:
    found: dict[str, Run] = {}
    orders = ((1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4))
    for (p, c), algorithm, lower in product(orders, ("data_prediction", "noise_prediction"), (False, True)):
        options = {"predictor_order": p, "corrector_order": c, "algorithm_type": algorithm, "lower_order_final": lower}
        options["tau_func"] = lambda t: 0
        name = f"SASolver {p}/{c} {algorithm.split('_')[0]}, {'lower order' if lower else 'full order'}"
        found[name] = partial(_preserving, "SASolver", options, False)
    return found


def _edm_dpm() -> dict[str, Run]:
    found: dict[str, Run] = {}
    for order, rule, final in product((2, 3), ("midpoint", "heun"), ("full order", "lower order")):
        options = {"solver_order": order, "solver_type": rule, **_FINALS[final]}
        found[f"EDMDPMSolverMultistep {order} {rule}, {final}"] = partial(_edm, options)
    return found
