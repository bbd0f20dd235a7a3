"""genaudio's solvers beside the best of diffusers and k-diffusion: error against evaluations, cell by cell.

Install: see requirements.txt beside. Run: `python benchmarks/solvers/compare.py --out FOLDER`.
Writes `results.json`, `results.csv`, `errors.png` and `table.md` into the folder, and with `--docs` the figure and the
table of docs/solver-laboratory.md. `--quick`: two problems and few budgets. The peers' cells, the exact ends and tuned
schedules are kept in `$GENAUDIO_CACHE` or `benchmarks/.cache`; without the libraries, what is there is used.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from grids import BUDGETS, ENDINGS
from ours import DEFAULT, TUNED, TUNED_SETTINGS, default, default_row, fixed_rows, tuned_row
from peers import Row, Table, best, measure, single, versions
from problems import MIXTURES, NAMES
from reference import REPORT_SEED, ends
from report import csv_text, means, pick, plot, replace_between_markers, table

DOCS = Path(__file__).parents[2] / "docs"
QUICK_PROBLEMS, QUICK_BUDGETS = ("line", "grid"), (5, 10, 20)


def cells(name: str, theirs: Table, items: int, budgets: tuple[int, ...], tuned: bool, earlier: list[Row]) -> list[Row]:
    """A record a budget and ending: the peers' best, the default, the tuned schedule, the best of the fixed solvers.

    The last are taken from `earlier` records where they are there.
    """
    exact = ends(name, items, REPORT_SEED)
    found = []
    for nfe in budgets:
        for ending in ENDINGS:
            before = pick(earlier, problem=name, nfe=nfe, ending=ending)
            if before is None:
                fixed = Table()
                fixed.rows = fixed_rows(name, exact, nfe, ending)
            record: Row = {"problem": name, "nfe": nfe, "ending": ending, "peers": best(theirs, ending, nfe)}
            record[DEFAULT] = default_row(name, exact, nfe, ending)
            record["fixed"] = before["fixed"] if before else best(fixed, ending, nfe)
            if tuned and ending == "B" and nfe in TUNED_SETTINGS and name in MIXTURES:
                record[TUNED] = tuned_row(name, exact, nfe)
            found.append(record)
    return found


def described() -> dict[str, Any]:
    """The default by budget."""
    found = {}
    for nfe in BUDGETS:
        solver, schedule = default(nfe)
        found[str(nfe)] = (
            f"{type(solver).__name__} {solver.model_dump()}; {type(schedule).__name__} {schedule.model_dump()}"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results; made if it is not there")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PROBLEMS}, {QUICK_BUDGETS} evaluations, 64 items")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--problem", choices=NAMES, action="append", help="several times for several; all without it")
    parser.add_argument("--nfe", type=int, choices=BUDGETS, action="append", help="likewise, of the budgets")
    parser.add_argument("--no-tuned", action="store_true", help="leave the search for tuned schedules out")
    parser.add_argument(
        "--earlier",
        type=Path,
        help="results.json with the cells of our solvers on the peers' grids, to save their time",
    )
    parser.add_argument("--docs", action="store_true", help="put figure and table into docs/solver-laboratory.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    problems = options.problem or (QUICK_PROBLEMS if options.quick else NAMES)
    budgets = tuple(options.nfe or (QUICK_BUDGETS if options.quick else BUDGETS))
    items = 64 if options.quick else options.items
    earlier: Row = json.loads(options.earlier.read_text(encoding="utf-8")) if options.earlier else {"cells": []}
    if options.earlier and (earlier["items"], earlier["seed"]) != (items, REPORT_SEED):
        raise SystemExit(f"{options.earlier} has other noises")
    records: list[Row] = []
    tables: dict[str, Table] = {}
    for name in problems:
        start = time.perf_counter()
        tables[name] = measure(name, items, REPORT_SEED, budgets)
        records += cells(name, tables[name], items, budgets, not options.no_tuned, earlier["cells"])
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    mixtures = [each for name, each in tables.items() if name in MIXTURES]
    one = [single(mixtures, ending, nfe) for ending in ENDINGS for nfe in budgets] if mixtures else []
    options.out.mkdir(parents=True, exist_ok=True)
    result = {"items": items, "seed": REPORT_SEED, "versions": versions(), "default": described()}
    result |= {"means": means(records), "single_peer": one, "cells": records}
    (options.out / "results.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    (options.out / "results.csv").write_text(csv_text(records), encoding="utf-8")
    text = table(records, one, items)
    (options.out / "table.md").write_text(text, encoding="utf-8")
    plot(records, options.out / "errors.png")
    if options.docs:
        replace_between_markers(DOCS / "solver-laboratory.md", text)
        plot(records, DOCS / "images" / "solver-laboratory.png")
    print(text)


if __name__ == "__main__":
    main()
