"""What was found in diffusers and k-diffusion on the way, each measured anew.

Install: see requirements.txt beside. Run: `python benchmarks/solvers/faults.py`.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator

import peers_diffusers
import peers_k_diffusion
import torch
from grids import levels
from ours import solve
from peers import Run, peers, trial
from problems import SIGMA_MAX, bench
from reference import ends, item_errors

from genaudio.samplers.dpm import DPM

_SOLUTION_STEPS = 3000


def orders() -> Iterator[str]:
    """DPM-Solver++ 3M: the order between 400 and 800 steps on `line`."""
    problem, known = bench("line"), ends("line", 32, 0)
    theirs = {peer.name: peer.run for peer in peers()}
    runs: dict[str, Run] = {
        "k-diffusion dpmpp_3m_sde": theirs["k-diffusion dpmpp_3m_sde"],
        "diffusers": theirs["diffusers DPMSolverMultistep dpmsolver++ 3 midpoint, full order"],
        "genaudio dpm": lambda denoise, x, grid: solve(DPM(order=3), denoise, x, grid),
    }
    for name, run in runs.items():
        coarse, fine = (
            rms(run(problem.denoise, SIGMA_MAX * known.noise, levels("uniform log", steps, "A")), known.at["A"])
            for steps in (400, 800)
        )
        yield f"DPM-Solver++ 3M, {name}: errors {coarse:.1e}, {fine:.1e}; order {math.log2(coarse / fine):.2f}"


def not_to_zero() -> Iterator[str]:
    """Samplers that give no finite result where the grid ends at 0, by scheduler: how many variants of how many."""
    every = Counter(_family(peer.name) for peer in peers() if not peer.own_grid)
    reasons: dict[str, Counter[str]] = {}
    for peer in peers():
        reason = "" if peer.own_grid else trial(peer, 12, "B")[1]
        if reason:
            reasons.setdefault(reason.split(":")[0], Counter())[_family(peer.name)] += 1
    for reason, counts in reasons.items():
        cells = ", ".join(f"{name} {count} of {every[name]}" for name, count in counts.items())
        yield f"a last step to 0 fails, {reason}: {cells}"


def _family(name: str) -> str:
    words = name.split(",")[0].split()
    noise = "dpmsolver" in words or "noise" in words
    rule = [word for word in words if word in ("bh1", "bh2")]
    return " ".join([*words[1:2], *rule, *(["on noise"] if noise else [])])


def rms(result: torch.Tensor, exact: torch.Tensor) -> float:
    return float(item_errors(result, exact).square().mean().sqrt())


def single_precision() -> Iterator[str]:
    """RMS error of schedulers as they are, in float32, on `line` at sigma_min, beside the same in float64."""
    problem = bench("line")
    x = SIGMA_MAX * problem.noise(64, 0)
    names = ("DEIS 3, full order", "SASolver 3/4 data, full order", "UniPC 3 bh2 noise, full order")
    schedulers = peers_diffusers.schedulers()

    def error(name: str, steps: int, double: bool) -> float:
        dtype = torch.float64 if double else torch.float32
        result = schedulers[name](
            lambda y, sigma: problem.denoise(y.double(), sigma).to(dtype),
            x.to(dtype),
            levels("uniform log", steps, "A"),
        )
        return rms(result.double(), exact)

    with peers_diffusers.double():
        exact = schedulers["UniPC 4 bh2 noise, full order"](
            problem.denoise, x, levels("uniform log", _SOLUTION_STEPS, "A")
        )
        fine = {(name, steps): error(name, steps, True) for name in names for steps in (100, 300, 1000)}
    for name in names:
        cells = [f"{steps}: {error(name, steps, False):.1e} / {fine[name, steps]:.1e}" for steps in (100, 300, 1000)]
        yield f"float32 / float64 error by steps, {name}: " + ", ".join(cells)


def last_euler_step() -> Iterator[str]:
    """Error at 0 of DPM-Solver++ 2M on 1,000 steps, whose last one is Euler's."""
    problem = bench("line")
    x = SIGMA_MAX * problem.noise(64, 0)
    grid = levels("karras 7", 1000, "B")
    exact = solve(DPM(order=3), problem.denoise, x, levels("karras 7", 8000, "B"))
    for name, result in (
        ("k-diffusion dpmpp_2m", peers_k_diffusion.samplers()["dpmpp_2m"](problem.denoise, x, grid)),
        ("genaudio dpm", solve(DPM(), problem.denoise, x, grid)),
    ):
        yield f"1,000 steps to 0, {name}: RMS error {rms(result, exact):.1e}"


def random_state() -> Iterator[str]:
    """Whether a sampler without noise leaves torch's random state as it was."""
    x = torch.ones(1, 1)
    for name, run in peers_k_diffusion.samplers().items():
        before = torch.get_rng_state()
        run(lambda y, sigma: y / 2, x, levels("karras 7", 5, "B"))
        if not torch.equal(before, torch.get_rng_state()):
            yield f"noise is drawn though none is added: k-diffusion {name}"


def grids_of_theirs() -> Iterator[str]:
    """What set_timesteps makes of a list of levels, and of an ending at sigma_min."""
    library = peers_diffusers.library()
    euler = library.EDMEulerScheduler()
    given = [80.0, 10.0, 1.0, 0.1, 0.002]
    euler.set_timesteps(len(given), sigmas=torch.tensor(given))
    made = ", ".join(f"{level:.3g}" for level in euler.sigmas.tolist())
    yield f"EDMEulerScheduler.set_timesteps(sigmas=[80, 10, 1, 0.1, 0.002]) makes {made}"
    multistep = library.EDMDPMSolverMultistepScheduler(solver_order=3, final_sigmas_type="sigma_min")
    multistep.set_timesteps(20)
    x = torch.full((1, 1), SIGMA_MAX)
    for time in multistep.timesteps:
        x = multistep.step(torch.zeros_like(x), time, x).prev_sample
    ends = ", ".join(f"{level:.3g}" for level in multistep.sigmas[-3:].tolist())
    yield f"EDMDPMSolverMultistepScheduler of order 3, 20 steps to sigma_min: last levels {ends}, result {float(x):g}"


def main() -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends("line", 32, 0)  # before torch's default dtype changes
        with peers_diffusers.double():
            lines = [*orders(), *not_to_zero()]
        for line in (*lines, *single_precision(), *last_euler_step(), *random_state(), *grids_of_theirs()):
            print(line)


if __name__ == "__main__":
    main()
