"""Where the exact trajectories end, at sigma_min and at 0, in float64; kept on disk.

Run: `python benchmarks/solvers/reference.py [--items 256]` prints what the ends are good for.

The trajectory of y = x / sqrt(sigma^2 + sigma_data^2) over ln sigma is integrated by scipy's DOP853 (order 8, adaptive)
from 80 to sigma_min, and on to 1e-7, where D is the end at 0 to about 1e-12. The stored estimate is the difference to a
run of a tolerance 30 times as loose, which bounds the error of that run; `independent` is another method altogether.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from problems import NAMES, SIGMA_DATA, SIGMA_MAX, SIGMA_MIN, Bench, Points, bench
from torch import Tensor

REPORT_SEED = 20001  # noises of this seed are for reports; choosing and tuning use seeds below 1000
_NEARLY_ZERO = 1e-7
_TOLERANCE = 1e-12
_CHUNK = 32  # items that share their steps


@dataclass(frozen=True)
class Ends:
    """Ends of the trajectories that start at 80 times the noise, and estimates of each item's error."""

    noise: Tensor
    at: dict[str, Tensor]  # ending: (items, dimensions)
    estimate: dict[str, Tensor]  # ending: (items,), of the RMS over dimensions


def cache_folder() -> Path:
    """`$GENAUDIO_CACHE`, or `benchmarks/.cache`."""
    folder = Path(os.environ.get("GENAUDIO_CACHE") or Path(__file__).parents[1] / ".cache")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fingerprint(problem: Bench, items: int, seed: int) -> str:
    """Of the denoiser's values at a few inputs, and of the noise."""
    noise = problem.noise(items, seed)
    digest = hashlib.sha256(noise.numpy().tobytes())
    for sigma in (0.01, 0.3, 10.0):
        values = problem.denoise(noise[:8] * math.hypot(sigma, SIGMA_DATA), sigma)
        digest.update((values * 1e9).round().to(torch.int64).numpy().tobytes())
    return f"{problem.name}-{items}-{seed}-{digest.hexdigest()[:12]}"


def ends(name: str, items: int, seed: int) -> Ends:
    """From disk, or integrated now."""
    problem = bench(name)
    path = cache_folder() / f"ends-{fingerprint(problem, items, seed)}.pt"
    noise = problem.noise(items, seed)
    if path.exists():
        saved = torch.load(path, weights_only=True)
        return Ends(noise, saved["at"], saved["estimate"])
    found = dopri(problem, noise, _TOLERANCE)
    loose = dopri(problem, noise, 30 * _TOLERANCE)
    estimate = {ending: item_errors(found[ending], loose[ending]) for ending in found}
    torch.save({"at": found, "estimate": estimate}, path)
    return Ends(noise, found, estimate)


def item_errors(result: Tensor, exact: Tensor) -> Tensor:
    """Root mean square over dimensions: (items,)."""
    return (result - exact).square().mean(-1).sqrt()


def dopri(problem: Bench, noise: Tensor, tolerance: float) -> dict[str, Tensor]:
    """The ends by ending, each chunk of items with steps of its own."""
    from scipy.integrate import DOP853

    found: dict[str, list[Tensor]] = {"A": [], "B": []}
    for part in noise.split(_CHUNK):

        def slope(v: float, y: object, shape: torch.Size = part.shape) -> object:
            sigma = math.exp(v)
            rho = math.hypot(sigma, SIGMA_DATA)
            scaled = torch.as_tensor(y).view(shape)
            change = scaled * (SIGMA_DATA / rho) ** 2 - problem.denoise(scaled * rho, sigma) / rho
            return change.flatten().numpy()

        y = (part * SIGMA_MAX / math.hypot(SIGMA_MAX, SIGMA_DATA)).flatten().numpy()
        for start, end, ending in ((SIGMA_MAX, SIGMA_MIN, "A"), (SIGMA_MIN, _NEARLY_ZERO, "B")):
            solver = DOP853(slope, math.log(start), y, math.log(end), rtol=tolerance, atol=tolerance / 10)
            while solver.status == "running":
                solver.step()
            if solver.status != "finished":
                raise RuntimeError(f"DOP853 ended at sigma = {math.exp(solver.t):g}")
            y = solver.y
            x = torch.as_tensor(y).view(part.shape) * math.hypot(end, SIGMA_DATA)
            found[ending].append(x if ending == "A" else problem.denoise(x, end))
    return {ending: torch.cat(parts) for ending, parts in found.items()}


def independent(problem: Bench, noise: Tensor, steps: int = 4000) -> dict[str, Tensor]:
    """The same by the classical Runge-Kutta method on x, with equal steps and Richardson's extrapolation.

    The end at 0 is (x + D) / 2 at sigma = 1e-4 for a smooth density, D for points.
    """

    def run(start: Tensor, high: float, low: float, count: int) -> Tensor:
        h = math.log(low / high) / count
        x = start
        for i in range(count):
            v = math.log(high) + i * h
            a, b, c = math.exp(v), math.exp(v + h / 2), math.exp(v + h)
            k1 = x - problem.denoise(x, a)
            k2 = (y := x + h / 2 * k1) - problem.denoise(y, b)
            k3 = (y := x + h / 2 * k2) - problem.denoise(y, b)
            k4 = (y := x + h * k3) - problem.denoise(y, c)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x

    def extrapolated(start: Tensor, high: float, low: float, count: int) -> Tensor:
        coarse, fine = run(start, high, low, count), run(start, high, low, 2 * count)
        return fine + (fine - coarse) / 15

    at_min = extrapolated(SIGMA_MAX * noise, SIGMA_MAX, SIGMA_MIN, steps)
    low = 1e-4
    last = extrapolated(at_min, SIGMA_MIN, low, steps // 4)
    clean = problem.denoise(last, low)
    return {"A": at_min, "B": clean if isinstance(problem.denoise, Points) else (last + clean) / 2}


def report(items: int, seed: int) -> Iterator[str]:
    """A line a problem and ending: RMS and worst estimates, and the difference to `independent` on 32 items."""
    for name in NAMES:
        exact = ends(name, items, seed)
        other = independent(bench(name), exact.noise[:32])
        for ending, estimate in exact.estimate.items():
            gap = item_errors(exact.at[ending][:32], other[ending])
            yield (
                f"{name:8} {ending}  estimate: RMS {estimate.square().mean().sqrt():.1e}, worst {estimate.max():.1e};"
                f"  independent method: RMS {gap.square().mean().sqrt():.1e}, worst {gap.max():.1e}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    options = parser.parse_args()
    with torch.no_grad():
        for line in report(options.items, options.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
