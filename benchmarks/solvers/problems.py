"""Five problems whose denoiser is known exactly, and where their trajectories end.

| name | data |
|---|---|
| `line` | a 1-D mixture of 4 Gaussians |
| `cloud` | a 64-D mixture of 8 Gaussians of unequal widths |
| `grid` | a 2-D mixture of 25 narrow modes |
| `patches` | a mixture of 8 Gaussians with full covariances, fitted to patches of real power-compressed spectrograms |
| `points` | the empirical set of 2,000 such patches, the loudest of as many recordings: D is their posterior mean |

Each is scaled to a standard deviation of 0.5, the one that EDM's noise levels are made for. `patches` and `points` need
the audio in `$GENAUDIO_DATA` (or `../shared/data` beside the checkout). They and `cloud` are there in 512 dimensions
too, of patches of 16 bins and 16 frames: `cloud 512`, `patches 512`, `points 512`.

Shapes: x (items, dimensions), float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import torch
from torch import Tensor

SIGMA_MIN, SIGMA_MAX, SIGMA_DATA = 0.002, 80.0, 0.5
NAMES = ("line", "cloud", "grid", "patches", "points")
MIXTURES = NAMES[:4]
MANY = ("cloud 512", "patches 512", "points 512")
PATCH, LARGE = (8, 4), (16, 16)  # bins and frames of a patch; with real and imaginary part 64 and 512 numbers
DOUBLE = torch.float64


@dataclass(frozen=True)
class Mixture:
    """Isotropic Gaussians: means (components, dimensions), standard deviations and weights (components,)."""

    means: Tensor
    stds: Tensor
    weights: Tensor

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """E[clean | x]."""
        variance = self.stds**2 + sigma**2
        square = x.square().sum(-1, keepdim=True) - 2 * x @ self.means.T + self.means.square().sum(-1)
        log = self.weights.log() - square / (2 * variance) - 0.5 * x.shape[1] * variance.log()
        share = log.softmax(-1)
        gain = self.stds**2 / variance
        return (share * gain).sum(-1, keepdim=True) * x + (share * (1 - gain)) @ self.means


@dataclass(frozen=True)
class FullMixture:
    """Gaussians with full covariances: means (components, d), eigenvalues (components, d) and -vectors (…, d, d)."""

    means: Tensor
    values: Tensor
    vectors: Tensor
    weights: Tensor

    @classmethod
    def of(cls, means: Tensor, covariances: Tensor, weights: Tensor) -> FullMixture:
        """From covariances (components, d, d)."""
        values, vectors = torch.linalg.eigh(covariances)
        return cls(means, values.clamp_min(0), vectors, weights)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """E[clean | x]."""
        log, rotated = self.parts(x, sigma)
        share = log.softmax(1)
        gain = self.values / (self.values + sigma**2)
        return share @ self.means + (rotated * gain * share[..., None]).flatten(1) @ self._axes.T

    def parts(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Log weight of each component (items, components), and x - mean along its axes (items, components, d)."""
        rotated = torch.addmm(-self._places, x, self._axes).view(len(x), *self.values.shape)
        variance = self.values + sigma**2
        distance = torch.einsum("nkd,kd->nk", rotated.square(), 1 / variance)
        return self.weights.log() - 0.5 * (distance + variance.log().sum(-1)), rotated

    @cached_property
    def _axes(self) -> Tensor:
        """All eigenvectors side by side: (d, components * d)."""
        return self.vectors.transpose(0, 1).flatten(1)

    @cached_property
    def _places(self) -> Tensor:
        """The means along them: (components * d,)."""
        return torch.einsum("kd,kde->ke", self.means, self.vectors).flatten()


@dataclass(frozen=True)
class Points:
    """A finite set of equally likely points (count, dimensions)."""

    points: Tensor

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """E[clean | x]."""
        square = self.points.square().sum(-1) - 2 * x @ self.points.T
        return (-square / (2 * sigma**2)).softmax(-1) @ self.points

    def nearest(self, x: Tensor) -> Tensor:
        """Index of the nearest point: (items,)."""
        return (self.points.square().sum(-1) - 2 * x @ self.points.T).argmin(-1)


Problem = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class Bench:
    """A problem: its denoiser, and the dimensions of x."""

    name: str
    denoise: Problem
    dimensions: int

    def noise(self, items: int, seed: int) -> Tensor:
        """Unit noises (items, dimensions)."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(items, self.dimensions, generator=generator, dtype=DOUBLE)


@cache
def bench(name: str) -> Bench:
    """The problem of that name."""
    makers: dict[str, Callable[[], Problem]] = {
        "line": line,
        "cloud": cloud,
        "grid": grid,
        "patches": patches,
        "points": points,
        "cloud 512": lambda: cloud(dimensions=512),
        "patches 512": lambda: patches(LARGE),
        "points 512": lambda: points(LARGE),
    }
    made = makers[name]()
    return Bench(name, made, dimensions_of(made))


def dimensions_of(problem: Problem) -> int:
    """Dimensions of the data."""
    data = problem.points if isinstance(problem, Points) else problem.means  # type: ignore[attr-defined]
    return int(data.shape[1])


def line() -> Mixture:
    """(a)"""
    means = torch.tensor([[-0.8], [-0.2], [0.25], [0.7]], dtype=DOUBLE)
    return scaled(means, torch.tensor([0.15, 0.05, 0.1, 0.2]), torch.tensor([0.3, 0.2, 0.2, 0.3]))


def cloud(seed: int = 0, dimensions: int = 64, components: int = 8) -> Mixture:
    """(b)"""
    generator = torch.Generator().manual_seed(seed)
    means = 0.45 * torch.randn(components, dimensions, generator=generator, dtype=DOUBLE)
    return scaled(means, torch.linspace(0.05, 0.3, components), torch.full((components,), 1 / components))


def grid() -> Mixture:
    """(c)"""
    axis = torch.linspace(-0.7, 0.7, 5, dtype=DOUBLE)
    return scaled(torch.cartesian_prod(axis, axis), torch.full((25,), 0.03), torch.full((25,), 0.04))


def scaled(means: Tensor, stds: Tensor, weights: Tensor) -> Mixture:
    """The mixture centred and brought to a standard deviation of 0.5."""
    means, stds, weights = means.to(DOUBLE), stds.to(DOUBLE), (weights / weights.sum()).to(DOUBLE)
    means = means - weights @ means
    variance = (weights @ (means.square().mean(-1) + stds.square())).item()
    factor = SIGMA_DATA / variance**0.5
    return Mixture(means * factor, stds * factor, weights)


def patches(size: tuple[int, int] = PATCH) -> FullMixture:
    """(d): 8 components, fitted by expectation maximisation to 8,000 patches from anywhere in 400 recordings."""
    generator = torch.Generator().manual_seed(0)
    found: list[Tensor] = []
    for x in spectrograms(400, generator):
        tops = torch.randint(x.shape[1] // 2, (20,), generator=generator).tolist()
        lefts = torch.randint(max(1, x.shape[2] - size[1]), (20,), generator=generator).tolist()
        if x.shape[2] >= size[1]:
            found += [patch_at(x, top, left, size) for top, left in zip(tops, lefts, strict=True)]
    return fitted(normalised(torch.stack(found))[2000:], 8)


def points(size: tuple[int, int] = PATCH) -> Points:
    """(e): one patch, the loudest, of each of 2,000 recordings, so that no two are nearly the same."""
    found = []
    for x in spectrograms(2000, torch.Generator().manual_seed(0)):
        power = torch.nn.functional.avg_pool2d(x.square().sum(0)[None], size, stride=1)[0]
        top, left = divmod(int(power.argmax()), power.shape[1])
        found.append(patch_at(x, top, left, size))
    return Points(normalised(torch.stack(found)))


def fitted(data: Tensor, components: int) -> FullMixture:
    """A mixture with full covariances after 30 rounds of expectation maximisation on `data` (count, d)."""
    count, d = data.shape
    prior = 30 * 0.03**2 * torch.eye(d, dtype=DOUBLE)  # as if 30 patches of deviation 0.03 had been seen besides
    means = data[torch.randperm(count, generator=torch.Generator().manual_seed(0))[:components]]
    covariances = (data.T @ data / count).repeat(components, 1, 1)
    weights = torch.full((components,), 1 / components, dtype=DOUBLE)
    for _ in range(30):
        log, _ = FullMixture.of(means, covariances, weights).parts(data, 0.0)
        share = log.softmax(1).T
        mass = share.sum(1)
        weights, means = mass / count, share @ data / mass[:, None]
        gap = data - means[:, None]
        covariances = torch.einsum("kn,knd,kne->kde", share, gap, gap) + prior
        covariances /= (mass + 30)[:, None, None]
    return FullMixture.of(means, covariances, weights)


def spectrograms(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Power-compressed spectrograms (2, freq, time) of `count` spoken digits, in an order drawn from the generator."""
    import soundfile

    from genaudio.representations.complex_stft import ComplexSTFT

    root = Path(os.environ.get("GENAUDIO_DATA") or Path(__file__).parents[3] / "shared" / "data")
    files = sorted((root / "fsdd" / "recordings").glob("*.wav"))
    if len(files) < count:
        raise SystemExit(f"no spoken digits below {root}; set GENAUDIO_DATA to a folder that holds fsdd/recordings")
    representation = ComplexSTFT(n_fft=254, hop_length=64, scale=4.0)
    for number in torch.randperm(len(files), generator=generator)[:count].tolist():
        data, _ = soundfile.read(files[number], dtype="float64")
        yield representation.encode(torch.from_numpy(data / abs(data).max())[None, None])[0]


def patch_at(x: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    """The patch of a spectrogram at a bin and frame, 2 * bins * frames numbers."""
    return x[:, top : top + size[0], left : left + size[1]].reshape(-1)


def normalised(data: Tensor) -> Tensor:
    """Centred, with a standard deviation of 0.5."""
    data = data - data.mean(0)
    return data * (SIGMA_DATA / data.square().mean().sqrt())
