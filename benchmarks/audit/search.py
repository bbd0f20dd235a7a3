"""Time and memory of the audit's search: blocked exact search beside brute force and, if installed, faiss.

    python benchmarks/audit/search.py --keys 20000 --queries 1000 --device cpu

Rows are unit vectors around centres, as embeddings of several windows of a clip are. Prints a table: seconds (median of
the repeats), the rate in billions of products of two numbers a second, peak memory beyond the vectors, the share of
queries whose first neighbour is that of brute force in float64, and last the seconds that the same rate gives for
100,000 clips of 7 windows against 10,000 clips of 7 windows in as many equal classes as --classes says.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from genaudio.audit.search import Neighbours, nearest

LARGE_KEYS, LARGE_QUERIES = 700_000, 70_000


def drawn(rows: int, dimensions: int, seed: int) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    centres = torch.randn(max(rows // 7, 1), dimensions, generator=torch.Generator().manual_seed(0))
    picked = torch.randint(len(centres), (rows,), generator=source)
    x = centres[picked] + torch.randn(rows, dimensions, generator=source)
    return x / x.norm(dim=1, keepdim=True)


def brute_force(queries: Tensor, keys: Tensor, k: int) -> Neighbours:
    """All scores at once."""
    scores, indices = (queries @ keys.T).topk(k)
    return Neighbours(scores.double().cpu(), indices.cpu())


def timed(work: Callable[[], Neighbours], repeats: int, cuda: bool) -> tuple[float, Neighbours]:
    seconds = []
    for _ in range(repeats + 1):  # the first one warms up
        if cuda:
            torch.cuda.synchronize()
        before = time.perf_counter()
        found = work()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds[1:]), found


def forget_peak(cuda: bool) -> float:
    """MB in use now; the highest that was in use is forgotten (on Linux)."""
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")
    return peak_memory(cuda)


def peak_memory(cuda: bool) -> float:
    """MB at most since `forget_peak`: of the process, or of the GPU."""
    if cuda:
        return torch.cuda.max_memory_allocated() / 1e6
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("keys", 20_000), ("queries", 1_000), ("dimensions", 512), ("k", 5), ("repeats", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--blocks", type=int, nargs="+", default=[1024, 4096, 8192])
    options.add_argument("--classes", type=int, default=7)
    options.add_argument("--device", default="cpu")
    given = options.parse_args()
    cuda = given.device.startswith("cuda")
    keys, queries = drawn(given.keys, given.dimensions, 1), drawn(given.queries, given.dimensions, 2)
    exact = torch.cat([(part.double() @ keys.double().T).argmax(1) for part in queries.split(256)])

    work: list[tuple[str, Callable[[], Neighbours]]] = [
        (f"exact, block {block}", lambda block=block: nearest(queries, keys, given.k, block=block, device=given.device))
        for block in given.blocks
    ]
    there = queries.to(given.device), keys.to(given.device)
    work.append(("brute force, float32", lambda: brute_force(*there, given.k)))
    if importlib.util.find_spec("faiss") and not cuda:
        work += [
            (name, lambda name=name: nearest(queries, keys, given.k, backend=name)) for name in ("faiss", "faiss_ivf")
        ]
    name = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} thread(s)"
    print(f"{given.queries} queries, {given.keys} keys, {given.dimensions} dimensions, k {given.k}; {name}")
    print("| search | s | 10^9 products/s | peak MB more | first neighbour right | hours, large |")
    print("|---|---|---|---|---|---|")
    large = LARGE_KEYS * LARGE_QUERIES / given.classes
    for label, one in work:
        before = forget_peak(cuda)
        seconds, found = timed(one, given.repeats, cuda)
        more = peak_memory(cuda) - before
        right = float((found.indices[:, 0] == exact).double().mean())
        rate = given.queries * given.keys * given.dimensions / seconds / 1e9
        hours = seconds * large / (given.queries * given.keys) / 3600
        print(f"| {label} | {seconds:.3f} | {rate:.1f} | {more:.0f} | {right:.4f} | {hours:.2f} |", flush=True)


if __name__ == "__main__":
    main()
