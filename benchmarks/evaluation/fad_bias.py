"""The bias of the Fréchet audio distance where the true distance is 0, beside FAD-infinity and KAD.

python benchmarks/evaluation/fad_bias.py [--repeats 5]

Two samples of one Gaussian in 128 dimensions whose deviations fall as 1 / sqrt(i), as an embedding's do; the mean and
the deviation of the values over repeats, as a Markdown table.
"""

from __future__ import annotations

import argparse
import sys

import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.metrics.base import Metric
from genaudio.evaluation.metrics.fad import FAD
from genaudio.evaluation.metrics.fad_infinity import FADInfinity
from genaudio.evaluation.metrics.kad import KAD

DIMENSIONS = 128
COUNTS = (100, 200, 300, 500, 1000, 2000, 5000, 10_000)
METRICS: dict[str, Metric] = {
    "`fad`": FAD(draws=0),
    "`fad_infinity`": FADInfinity(draws=0),
    "`kad`": KAD(draws=0),
}


def sample(clips: int, seed: int) -> FeatureSet:
    generator = torch.Generator().manual_seed(seed)
    deviations = torch.arange(1, DIMENSIONS + 1, dtype=torch.float64) ** -0.5
    return FeatureSet.of(deviations * torch.randn(clips, DIMENSIONS, generator=generator, dtype=torch.float64))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    print(f"| clips in each set | {' | '.join(METRICS)} |")
    print("|---|" + "---|" * len(METRICS))
    for clips in COUNTS:
        cells = []
        for metric in METRICS.values():
            try:
                values = torch.tensor(
                    [
                        metric.measure(sample(clips, 2 * repeat), sample(clips, 2 * repeat + 1)).value
                        for repeat in range(options.repeats)
                    ]
                )
                cells.append(f"{float(values.mean()):.3f} ± {float(values.std()):.3f}")
            except GenaudioError:
                cells.append("refused")
        print(f"| {clips:,} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
