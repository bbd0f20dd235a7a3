"""Sets of features and of class probabilities for tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from genaudio.evaluation.feature_set import FeatureSet

Sets = Callable[..., FeatureSet]


@pytest.fixture(scope="session")
def gaussian_set() -> Sets:
    """Clips drawn from a Gaussian of `dimensions`, around `shift`, each dimension's deviation `spread`."""

    def make(
        clips: int, seed: int, *, dimensions: int = 4, shift: float = 0.0, spread: float = 1.0, frames: int = 0
    ) -> FeatureSet:
        generator = torch.Generator().manual_seed(seed)
        shape = (clips, frames, dimensions) if frames else (clips, dimensions)
        return FeatureSet.of(shift + spread * torch.randn(shape, generator=generator, dtype=torch.float64))

    return make


@pytest.fixture(scope="session")
def classified_set() -> Sets:
    """Clips of `counts` by class, each heard as its class with a certainty that differs from clip to clip."""

    def make(counts: tuple[int, ...], seed: int, *, certainty: float = 4.0, labelled: bool = True) -> FeatureSet:
        generator = torch.Generator().manual_seed(seed)
        classes = tuple("abcdefghij"[: len(counts)])
        of = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        logits = torch.randn(len(of), len(counts), generator=generator, dtype=torch.float64)
        logits[torch.arange(len(of)), of] += certainty
        return FeatureSet.of(
            logits,
            labels=[classes[number] for number in of.tolist()] if labelled else None,
            log_probabilities=logits.log_softmax(-1),
            classes=classes,
        )

    return make
