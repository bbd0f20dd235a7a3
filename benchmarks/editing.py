"""How editing behaves on a trained model and on Gaussians: the figures of docs/editing.md.

    python benchmarks/editing.py RUN_DIR [--clips N] [--only strength|inversion|resampling]

strength: root mean square distance of log-mel spectrograms (64 bands, floor -80 dB) between a clip and its variations,
as a share of the distance between the clip and plain generations of its class; clips of the run's validation split.
inversion: power of the clip over power of the error after inversion and generation, by steps and guidance scale.
resampling: mean and variance of the new part of a Gaussian, a first-order process of 16 elements with correlation 0.9
and 6 unknown, against its conditional law; in standard deviations, and as a ratio. 16 steps, 3,000 items.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

import torch
from torch import Tensor

import genaudio
from genaudio.datasets.base import Dataset
from genaudio.evaluation.log_mel import LogMel
from genaudio.runs.course import Tile
from genaudio.runs.editing import inpainting
from genaudio.runs.model import Model

STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FLOOR_DB = -80.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run directory with its recipe")
    parser.add_argument("--clips", type=int, default=4, help="validation clips of each class")
    parser.add_argument("--only", choices=("strength", "inversion", "resampling"))
    options = parser.parse_args()
    if options.only != "resampling":
        model = genaudio.load(options.run)
        clips = validation_clips(genaudio.load_recipe(options.run / "recipe.yaml").dataset, options.clips)
    if options.only in (None, "strength"):
        strength(model, clips)
    if options.only in (None, "inversion"):
        inversion(model, clips)
    if options.only in (None, "resampling"):
        resampling()


def validation_clips(dataset: Dataset, count: int) -> dict[str, list[Tensor]]:
    """The first `count` clips of each class."""
    clips = dataset.open("validation")
    found: dict[str, list[Tensor]] = {name: [] for name in clips.classes}
    index = 0
    while any(len(waveforms) < count for waveforms in found.values()) and index != clips.size:
        clip = clips.clip(index, seed=0)
        waveforms = found[clips.classes[clip.label or 0]]
        if len(waveforms) < count:
            waveforms.append(clip.waveform)
        index += 1
    return found


def strength(model: Model, clips: dict[str, list[Tensor]]) -> None:
    """Distance by strength, a row a class."""
    rate = model.sample_rate
    transform = LogMel(rate, bands=64, window=0.032, hop=0.008)

    def picture(waveform: Tensor) -> Tensor:
        return transform(waveform.mean(1)).clamp_min(FLOOR_DB)

    print("strength   " + "".join(f"{value:7.2f}" for value in STRENGTHS))
    rows = []
    for label, waveforms in clips.items():
        shares = []
        for waveform in waveforms:
            original = picture(waveform[None])
            distances = [
                float((picture(model.vary(waveform, rate, value, 2, label, 1)[0]) - original).square().mean().sqrt())
                for value in (*STRENGTHS, 1.0)
            ]
            shares.append([distance / distances[-1] for distance in distances[:-1]])
        rows.append([statistics.mean(column) for column in zip(*shares, strict=True)])
        print(f"{label:10} " + "".join(f"{share:7.2f}" for share in rows[-1]))
    print("mean       " + "".join(f"{statistics.mean(column):7.2f}" for column in zip(*rows, strict=True)))


def inversion(model: Model, clips: dict[str, list[Tensor]]) -> None:
    """Round trips, and the standard deviation of the noise."""
    for scale in (1.0, 2.0):
        for steps in (16, 32, 64, 128):
            sampler = {"guidance": {"type": "cfg", "scale": scale}, "num_steps": steps}
            errors, spreads = [], []
            for label, waveforms in clips.items():
                for waveform in waveforms:
                    noise = model.invert(waveform, model.sample_rate, label, **sampler)
                    back, _ = model.decode_noise(noise, label, **sampler)
                    error = (back[0] - waveform).square().sum() / waveform.square().sum()
                    errors.append(-10 * math.log10(float(error)))
                    spreads.append(float(noise.std()))
            print(
                f"inversion  scale {scale:g}, {steps:3} steps: {statistics.median(errors):5.1f} dB "
                f"(least {min(errors):.1f}), noise {min(spreads):.2f} to {max(spreads):.2f}"
            )


def resampling() -> None:
    """Conditional mean and variance by stretches and number of ways."""
    place = torch.arange(16)
    covariance = 0.25 * 0.9 ** (place[:, None] - place).abs().double()
    truth = torch.linalg.cholesky(covariance) @ torch.randn(
        16, generator=torch.Generator().manual_seed(5), dtype=torch.float64
    )
    unknown = (place >= 5) & (place < 11)
    gain = covariance[unknown][:, ~unknown] @ torch.linalg.inv(covariance[~unknown][:, ~unknown])
    variance = (covariance[unknown][:, unknown] - gain @ covariance[~unknown][:, unknown]).diag()
    variances, axes = torch.linalg.eigh(covariance)

    def denoiser(x: Tensor, sigma: float) -> Tensor:
        return ((x.view(len(x), 16) @ axes) * (variances / (variances + sigma**2)) @ axes.T).view_as(x)

    solver = genaudio.create("solver", "exponential_integrator")
    sigmas = genaudio.create("schedule", "karras").sigmas(16, 0.002, 80.0)
    noise = torch.randn(3000, 1, 1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    known = truth.view(1, 1, 16)
    for ways, stretches in [(1, 1)] + [(ways, stretches) for ways in (4, 10) for stretches in (16, 8, 4, 2, 1)]:
        inpainting.STRETCHES = stretches
        paste = inpainting.Paste(torch.ones(16), None)
        course = inpainting.Inpainting(known[0], known, unknown.double().view(1, 1, 16), paste, ways)
        generators = [torch.Generator().manual_seed(index) for index in range(len(noise))]
        end = course.solve(solver, Tile(range(len(noise)), noise, denoiser, sigmas, generators))
        made = end.view(-1, 16)[:, unknown]
        off = float(((made.mean(0) - gain @ truth[~unknown]) / variance.sqrt()).square().mean().sqrt())
        ratio = float((made.var(0) / variance).log().mean().exp())
        print(f"resampling {ways:2} ways, {stretches:2} stretches: mean off by {off:.2f}, variance {ratio:.2f}")


if __name__ == "__main__":
    main()
