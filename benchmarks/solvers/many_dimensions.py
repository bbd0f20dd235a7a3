"""The default in 512 dimensions, beside the best of those peers that won a cell of `compare.py`.

Install: see requirements.txt beside. Run, after `compare.py`: `python benchmarks/solvers/many_dimensions.py`, in about
an hour on one core. Prints the tables of docs/solver-laboratory.md; cells are kept in `$GENAUDIO_CACHE` or
`benchmarks/.cache`. *As in few dimensions* is the default as it is for items of few numbers.
"""

from __future__ import annotations

import argparse
import math

import torch
from grids import ENDINGS
from ours import default_row
from peers import Row, Table, best, family, measure, table_of
from problems import MANY, NAMES, bench
from reference import REPORT_SEED, ends

BUDGETS = (5, 8, 10, 15, 20, 30)
SIDES = ("best peers", "default", "as in few dimensions")
MEASURES = {"rms": "RMS", "median": "median", "wrong_share": "at another point"}


def winners() -> set[str]:
    """The peers that have the least RMS of a cell of the five problems."""
    tables = [table_of(name, 256, REPORT_SEED) for name in NAMES]
    cells = [best(table, ending, nfe) for table in tables for ending in ENDINGS for nfe in (*BUDGETS, 50, 100)]
    return {family(cell["rms_by"]) for cell in cells}


def rows(name: str, theirs: Table, items: int, nfe: int) -> dict[str, Row]:
    """The sides of a cell, at sigma = 0."""
    exact = ends(name, items, REPORT_SEED)
    dimensions = bench(name).dimensions
    return {
        "best peers": best(theirs, "B", nfe),
        "default": default_row(name, exact, nfe, "B", dimensions),
        "as in few dimensions": default_row(name, exact, nfe, "B", None),
    }


def table(cells: dict[tuple[str, int], dict[str, Row]], measured: str) -> str:
    """A line a problem and side."""
    lines = [f"| {MEASURES[measured]} | evaluations: | " + " | ".join(map(str, BUDGETS)) + " |"]
    lines.append("|" + "---|" * (2 + len(BUDGETS)))
    for name in MANY:
        if measured in cells[name, BUDGETS[0]]["default"]:
            for side in SIDES:
                values = [cells[name, nfe][side][measured] for nfe in BUDGETS]
                shown = [f"{100 * v:.1f} %" if measured == "wrong_share" else f"{v:.1e}" for v in values]
                lines.append(f"| `{name}` | {side} | " + " | ".join(shown) + " |")
    for side in SIDES[1:] if measured != "wrong_share" else ():
        means = []
        for nfe in BUDGETS:
            ratios = [cells[name, nfe][side][measured] / cells[name, nfe]["best peers"][measured] for name in MANY[:2]]
            means.append(f"{math.prod(ratios) ** (1 / len(ratios)):.2f}")
        lines.append(f"| mixtures, ratio to the best peers | {side} | " + " | ".join(means) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    among = winners()
    cells = {}
    for name in MANY:
        theirs = measure(name, options.items, REPORT_SEED, BUDGETS, among)
        cells |= {(name, nfe): rows(name, theirs, options.items, nfe) for nfe in BUDGETS}
        print(f"{name}: measured", flush=True)
    for measured in MEASURES:
        print(table(cells, measured))


if __name__ == "__main__":
    main()
