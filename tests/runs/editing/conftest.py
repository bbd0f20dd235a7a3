"""Exact denoisers, and a clip of the tiny run's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import genaudio
from genaudio.runs.course import Tile
from genaudio.runs.model import Model
from genaudio.training.model import build_model


@pytest.fixture
def model(tiny_run: Path) -> Model:
    return genaudio.load(tiny_run, device="cpu")


@pytest.fixture
def stereo_model(model: Model) -> Model:
    """The same components with initial weights, for two channels."""
    made = model.components
    shape = model.representation.shape(1000, 2)
    weights = build_model(made["network"], made["conditioner"], shape, 2, seed=0)  # type: ignore[arg-type]
    return replace(model, weights=weights.eval(), audio=replace(model.audio, channels=2))


@pytest.fixture
def clip() -> Tensor:
    """A tone with a decay, (1, 1000) at 8000 Hz."""
    time = torch.arange(1000) / 8000
    return (0.5 * torch.sin(2 * torch.pi * 440 * time) * torch.exp(-time * 20))[None]


Denoiser = Callable[[Tensor, float], Tensor]


@pytest.fixture
def mixture() -> Denoiser:
    return _mixture


@pytest.fixture
def gaussian() -> Callable[[Tensor], Denoiser]:
    return _gaussian


@pytest.fixture
def tile() -> Callable[..., Tile]:
    return _tile


def _mixture(x: Tensor, sigma: float) -> Tensor:
    """The exact denoiser of elements that are each of a mixture of two Gaussians: means -1 and 1, deviation 0.3."""
    means, variance = torch.tensor([-1.0, 1.0], dtype=x.dtype), 0.09
    total = variance + sigma**2
    distance = x[..., None] - means
    share = torch.softmax(-(distance**2) / (2 * total), -1)
    return (share * (means + variance / total * distance)).sum(-1)


def _gaussian(covariance: Tensor) -> Denoiser:
    """The exact denoiser of N(0, covariance) over the flattened items."""
    variances, axes = torch.linalg.eigh(covariance)

    def denoiser(x: Tensor, sigma: float) -> Tensor:
        along = x.reshape(len(x), -1) @ axes
        return (along * (variances / (variances + sigma**2)) @ axes.T).reshape(x.shape)

    return denoiser


def _tile(denoiser: Denoiser, count: int, shape: tuple[int, ...], steps: int = 32) -> Tile:
    """A tile of `count` items in float64 over EDM's levels."""
    sigmas = genaudio.create("schedule", "karras").sigmas(steps, 0.002, 80.0)
    generators = [torch.Generator().manual_seed(index) for index in range(count)]
    noise = torch.stack([torch.randn(shape, generator=generator, dtype=torch.float64) for generator in generators])
    return Tile(range(count), noise, denoiser, sigmas, generators)
