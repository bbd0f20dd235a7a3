"""Errors of diffusers' schedulers and k-diffusion's samplers on the five problems; kept on disk.

Install: see requirements.txt beside. Run: `python benchmarks/solvers/peers.py`. Writes `peers.json` into
`$GENAUDIO_CACHE` or `benchmarks/.cache`: by ending, problem and budget the least RMS and the least median of the items'
errors over every sampler and grid, and which it was; `peers-….json` beside it has every cell.

A sampler's cell at n evaluations is the largest grid that takes at most n, as the denoiser counts them. A sampler that
stops at sigma_min also counts as an answer at 0 (ending B), compared with the exact end there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import peers_diffusers
import peers_k_diffusion
import torch
from grids import BUDGETS, ENDINGS, GRIDS, levels
from problems import NAMES, SIGMA_MAX, SIGMA_MIN, Points, bench
from reference import REPORT_SEED, Ends, cache_folder, ends, fingerprint, item_errors
from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
Run = Callable[[Denoise, Tensor, list[float]], Tensor]
Row = dict[str, Any]

STOPS = " (stops at sigma_min)"
_TOLERANCES = (5e-2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Peer:
    """A sampler of another library."""

    name: str
    run: Run
    own_grid: bool = False


@dataclass
class Counted:
    """A denoiser that notes the levels at which it is called."""

    denoise: Denoise
    levels: list[float] = field(default_factory=list)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.levels.append(sigma)
        return self.denoise(x, sigma)


def peers() -> list[Peer]:
    """All of both libraries."""
    found = [Peer(f"k-diffusion {name}", run) for name, run in peers_k_diffusion.samplers().items()]
    found += [Peer("k-diffusion dpm_fast", peers_k_diffusion.fast, own_grid=True)]
    return found + [Peer(f"diffusers {name}", run) for name, run in peers_diffusers.schedulers().items()]


def installed() -> bool:
    return peers_diffusers.installed() and peers_k_diffusion.installed()


def versions() -> dict[str, str]:
    names = ("torch", "diffusers", "k-diffusion") if installed() else ("torch",)
    return {name: version(name) for name in names}


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """The denoiser of data of standard deviation 0.5, on which evaluations are counted."""
    return x * (0.25 / (0.25 + sigma**2))


@cache
def trial(peer: Peer, steps: int, ending: str) -> tuple[int, str]:
    """Evaluations of so many steps, and why the sampler cannot take them (empty: it can)."""
    counted = Counted(gaussian)
    x = SIGMA_MAX * torch.linspace(-1, 1, 4, dtype=torch.float64).view(2, 2)
    try:
        result = peer.run(counted, x, levels("uniform log", steps, ending))
    except Exception as error:  # whatever their code raises is what there is to tell
        return len(counted.levels), f"{type(error).__name__}: {str(error)[:80]}"
    return len(counted.levels), "" if result.isfinite().all() else "not finite"


def steps_within(peer: Peer, nfe: int, ending: str) -> tuple[int, str]:
    """The most steps of at most `nfe` evaluations, and why they cannot be run.

    Evaluations are a linear function of the steps, for every one of them; the run itself is counted again.
    """
    (few, reason), (many, other) = trial(peer, 3, ending), trial(peer, 6, ending)
    if reason and other:
        return 0, other
    each = (many - few) / 3
    steps = math.floor((nfe - (few - 3 * each)) / each)
    return steps, "" if steps > 0 else "more evaluations than the budget in a single step"


def run(peer: Peer, denoise: Denoise, x: Tensor, given: list[float], nfe: int) -> Tensor | str:
    """The result, or why there is none; raises where a sampler does not keep to its grid or its budget."""
    counted = Counted(denoise)
    try:
        result = peer.run(counted, x, given)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:80]}"
    if not peer.own_grid:
        check_levels(peer.name, given, counted.levels)
    if len(counted.levels) > nfe:
        raise RuntimeError(f"{peer.name} took {len(counted.levels)} evaluations of {nfe}")
    return result if result.isfinite().all() else "not finite"


def check_levels(name: str, given: list[float], called: list[float]) -> None:
    """Raise unless the denoiser was called at each given level but the last, in order, and else only between two."""
    at = 0
    for level in called:
        if at < len(given) - 1 and math.isclose(level, given[at], rel_tol=1e-9):
            at += 1
        elif not given[min(at, len(given) - 1)] * (1 - 1e-9) <= level <= given[at - 1] * (1 + 1e-9):
            raise RuntimeError(f"{name} evaluated the denoiser at {level}, which is not of its grid {given}")
    if at != len(given) - 1:
        raise RuntimeError(f"{name} left out the level {given[at]} of its grid {given}")


def summary(result: Tensor, exact: Ends, ending: str, problem: Any) -> Row:
    """RMS and median of the items' errors; for points the share that ends at another point."""
    errors = item_errors(result, exact.at[ending])
    row: Row = {"rms": float(errors.square().mean().sqrt()), "median": float(errors.median())}
    if isinstance(problem, Points):
        wrong = problem.nearest(result) != problem.nearest(exact.at[ending])
        row["wrong_share"] = float(wrong.double().mean())
    return row


class Table:
    """Rows by `peer | grid | ending | nfe`, in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        if path is not None and path.exists():
            self.rows = json.loads(path.read_text(encoding="utf-8"))

    def save(self) -> None:
        if self.path is not None:
            partial = self.path.with_suffix(".part")
            partial.write_text(json.dumps(self.rows, indent=0), encoding="utf-8")
            partial.replace(self.path)


def key(peer: str, grid: str, ending: str, nfe: int) -> str:
    return f"{peer} | {grid} | {ending} | {nfe}"


def table_of(name: str, items: int, seed: int) -> Table:
    """From disk; where a library is missing, the file of whatever versions there were."""
    start = f"peers-{fingerprint(bench(name), items, seed)}"
    if installed():
        return Table(cache_folder() / f"{start}-{version('diffusers')}-{version('k-diffusion')}.json")
    found = sorted(cache_folder().glob(f"{start}-*.json"))
    if not found:
        raise SystemExit(
            "diffusers and k-diffusion are not installed, and their cells are not on disk: "
            "see benchmarks/solvers/requirements.txt"
        )
    return Table(found[-1])


def measure(name: str, items: int, seed: int, budgets: Iterable[int], among: set[str] | None = None) -> Table:
    """Every peer (of the families `among`) on every grid, with both endings; what is on disk is not run again."""
    problem, exact, table = bench(name), ends(name, items, seed), table_of(name, items, seed)
    found = [peer for peer in peers() if among is None or family(peer.name) in among]
    if not installed():
        return table
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # divisions by zero and deprecations of theirs
        stack.enter_context(peers_diffusers.double())
        for nfe in budgets:
            for peer, ending in product(found, ENDINGS):
                for grid in ("uniform log",) if peer.own_grid else GRIDS:
                    if key(peer.name, grid, ending, nfe) not in table.rows:
                        table.rows |= cells(peer, grid, ending, nfe, problem.denoise, exact)
            table.save()
        if among is None:
            adaptive(table, problem.denoise, exact)
        table.save()
    return table


def cells(peer: Peer, grid: str, ending: str, nfe: int, denoise: Denoise, exact: Ends) -> dict[str, Row]:
    """The row of one run; of one that stops at sigma_min also the row of ending B."""
    if peer.own_grid and ending == "B":
        return {key(peer.name, grid, ending, nfe): {"failed": "makes a grid of its own, which ends above 0"}}
    steps, reason = steps_within(peer, nfe, ending)
    if reason:
        return {key(peer.name, grid, ending, nfe): {"failed": reason}}
    result = run(peer, denoise, SIGMA_MAX * exact.noise, levels(grid, steps, ending), nfe)
    if isinstance(result, str):
        return {key(peer.name, grid, ending, nfe): {"failed": result, "steps": steps}}
    found = {key(peer.name, grid, ending, nfe): {**summary(result, exact, ending, denoise), "steps": steps}}
    if ending == "A":
        stopped = {**summary(result, exact, "B", denoise), "steps": steps}
        found[key(peer.name + STOPS, grid, "B", nfe)] = stopped
    return found


def adaptive(table: Table, denoise: Denoise, exact: Ends) -> None:
    """`sample_dpm_adaptive` at several tolerances; its step is chosen by the batch's mean error."""
    for order in (2, 3):
        for rtol in _TOLERANCES:
            name = f"k-diffusion dpm_adaptive {order} rtol {rtol:g}"
            if name in table.rows:
                continue
            counted = Counted(denoise)
            result = peers_k_diffusion.adaptive(counted, SIGMA_MAX * exact.noise, SIGMA_MIN, SIGMA_MAX, order, rtol)
            table.rows[name] = {**summary(result, exact, "A", denoise), "evaluations": len(counted.levels)}


def best(table: Table, ending: str, nfe: int) -> Row:
    """The least RMS, median and share of wrong points of a cell, each with its sampler and grid."""
    found: Row = {}
    for name, row in table.rows.items():
        peer, *rest = name.split(" | ")
        if not rest or rest[1:] != [ending, str(nfe)] or "failed" in row:
            continue
        for measure_name in ("rms", "median", "wrong_share"):
            if measure_name in row and row[measure_name] < found.get(measure_name, math.inf):
                found[measure_name] = row[measure_name]
                found[measure_name.removesuffix("_share") + "_by"] = f"{peer} | {rest[0]} | {row['steps']} steps"
    return found


def family(by: str) -> str:
    """The sampler without its grid and how it ends."""
    return by.split(" | ")[0].removesuffix(STOPS).split(",")[0]


def single(tables: Sequence[Table], ending: str, nfe: int) -> Row:
    """The one sampler and grid whose geometric mean of RMS over the problems' least ones is least, and that mean."""
    least = [best(table, ending, nfe)["rms"] for table in tables]
    end = f" | {ending} | {nfe}"
    names = [name for name in tables[0].rows if name.endswith(end)]
    found: Row = {"ending": ending, "nfe": nfe, "mean": math.inf}
    for name in names:
        errors = [table.rows.get(name, {}).get("rms", math.inf) for table in tables]
        mean = math.prod(error / low for error, low in zip(errors, least, strict=True)) ** (1 / len(tables))
        if mean < found["mean"]:
            found |= {"mean": mean, "by": name.removesuffix(end)}
    return found


def write(tables: dict[str, Table], budgets: Iterable[int], items: int, seed: int) -> Path:
    """`peers.json`."""
    cells = {
        ending: {name: {str(nfe): best(table, ending, nfe) for nfe in budgets} for name, table in tables.items()}
        for ending in ENDINGS
    }
    path = cache_folder() / "peers.json"
    path.write_text(
        json.dumps({"items": items, "seed": seed, "versions": versions(), **cells}, indent=1), encoding="utf-8"
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--seed", type=int, default=REPORT_SEED)
    parser.add_argument("--problem", choices=NAMES, action="append")
    options = parser.parse_args()
    tables: dict[str, Table] = {}
    for name in options.problem or NAMES:
        start = time.perf_counter()
        tables[name] = measure(name, options.items, options.seed, BUDGETS)
        path = write(tables, BUDGETS, options.items, options.seed)
        print(f"{name}: {time.perf_counter() - start:.0f} s, {path}", flush=True)


if __name__ == "__main__":
    main()
