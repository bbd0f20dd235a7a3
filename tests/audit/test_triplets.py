"""Alterations, training on triplets, and the projection on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genaudio.audit.projection import Projection
from genaudio.audit.triplets import Partners, Versions, altered, train_projection, versions_of
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from genaudio.evaluation.feature_set import FeatureSet


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_alterations_are_a_gain_a_cut_and_faint_noise() -> None:
    rate, clip = 1000, torch.randn(1, 1, 4000, generator=generator())
    gains = set()
    for seed in range(20):
        result = altered(clip, rate, generator(100 + seed))[0, 0]
        silent = int((result.flip(0) == 0).long().cumprod(0).sum())  # at the end, where the cut is made up for
        assert silent <= 200
        kept = result[: 4000 - silent]
        starts = range(silent + 1)
        fits = [float((kept * clip[0, 0, s : s + len(kept)]).sum() / kept.square().sum().sqrt()) for s in starts]
        at = fits.index(max(fits))
        source = clip[0, 0, at : at + len(kept)]
        gain = float((kept * source).sum() / source.square().sum())
        assert 0.25 <= gain <= 1.25
        below = 10 * torch.log10(source.square().sum() * gain**2 / (kept - gain * source).square().sum())
        assert 77 < float(below) < 102
        gains.add(round(gain, 5))
    assert len(gains) == 20  # each clip its own


def test_silence_stays_silence() -> None:
    assert not altered(torch.zeros(2, 1, 500), 1000, generator()).any()


def made(seed: int = 0, clips: int = 60, labels: Any = "ab") -> Versions:
    """Clips that 4 of 32 dimensions tell apart, and versions that differ in the rest."""
    source = generator(seed)
    identity = torch.randn(clips, 4, generator=source)
    clean = torch.cat([identity, torch.randn(clips, 28, generator=source)], 1)
    noise = torch.randn(clips, 6, 28, generator=source)
    changed = torch.cat([identity[:, None].expand(-1, 6, -1), noise], 2)
    named = tuple(labels[n % len(labels)] for n in range(clips))
    return Versions(clean, changed, torch.arange(clips), named, {"embedding": "made", "weights_sha256": None})


def order(project: Any, versions: Versions) -> float:
    """Share of clips that are nearer to a version of their own than to the same version of the next clip."""
    clean, changed = project(versions.clean), project(versions.altered[:, 0])
    other = changed.roll(1, 0)
    return float(((clean - changed).norm(dim=1) < (clean - other).norm(dim=1)).double().mean())


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def test_training_learns_what_tells_clips_apart() -> None:
    projection = train_projection(made(0, 400), passes=60, learning_rate=3e-3)
    fresh = made(1, 400)
    before = order(unit, fresh)
    with torch.inference_mode():
        after = order(projection, fresh)
    assert before < 0.8
    assert after > 0.95
    assert projection.facts["held_out"]["windows"] == 20
    assert projection.facts["margin"] == 0.2


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator() -> None:
    state = torch.random.get_rng_state()
    first, second = (train_projection(made(), passes=3, seed=5) for _ in range(2))
    assert first.weights_sha256 == second.weights_sha256
    assert train_projection(made(), passes=3, seed=6).weights_sha256 != first.weights_sha256
    assert torch.equal(torch.random.get_rng_state(), state)


def test_negatives_are_windows_of_other_clips_of_the_class() -> None:
    numbers = torch.arange(12.0)[:, None]
    of_clip = torch.arange(6).repeat_interleave(2)
    labels = tuple("ab"[n % 2] for n in of_clip.tolist())
    partners = Partners(Versions(numbers, numbers[:, None], of_clip, labels), torch.ones(12, dtype=torch.bool))
    for _ in range(20):
        anchor, positive, negative = partners.triplets(torch.arange(12), generator())
        assert torch.equal(anchor, numbers)
        assert torch.equal(positive, numbers)
        others = negative[:, 0].long()
        assert bool((of_clip[others] != of_clip).all())
        assert [labels[n] for n in others.tolist()] == list(labels)


def test_progress_is_told_and_clips_alone_in_their_class_are_refused() -> None:
    done: list[int] = []
    train_projection(made(2, 4), passes=2, progress=lambda now, _: done.append(now))
    assert done == [1, 2]
    with pytest.raises(GenaudioError, match="no two share a class"):
        train_projection(made(3, 4, "abcd"))


def test_a_projection_comes_back_from_disk(tmp_path: Path) -> None:
    projection = train_projection(made(), passes=2)
    projection.save(tmp_path)
    again = Projection.load(tmp_path)
    features = FeatureSet.of(made().clean, card={"embedding": "made"})
    assert torch.equal(again.project(features).features, projection.project(features).features)
    assert again.weights_sha256 == projection.weights_sha256
    assert again.facts == projection.facts
    projected = again.project(features)
    torch.testing.assert_close(projected.features.norm(dim=1), torch.ones(60, dtype=torch.float64), atol=1e-6, rtol=0)
    assert projected.card["tuned_sha256"] == projection.weights_sha256

    with pytest.raises(GenaudioError, match="features with embedding clap"):
        again.project(FeatureSet.of(made().clean, card={"embedding": "clap"}))
    (tmp_path / "projection.safetensors").write_bytes(b"x")
    with pytest.raises(GenaudioError, match="SHA-256"):
        Projection.load(tmp_path)
    with pytest.raises(GenaudioError, match="cannot be read"):
        Projection.load(tmp_path / "nowhere")


def test_versions_of_clips_depend_on_seed_and_clip_alone(written: Any) -> None:
    clips = ClipSet.of_folder(written({f"a/{n}.wav": torch.randn(4000, generator=generator(n)) for n in range(3)}))
    embedding = MelStatistics(rate=8000)
    both = versions_of(embedding, "mel_statistics", clips, 0.25, versions=2)
    assert both.clean.shape == (9, 64)
    assert both.altered.shape == (9, 2, 64)
    alone = versions_of(embedding, "mel_statistics", clips.select([2]), 0.25, versions=2)
    torch.testing.assert_close(alone.altered, both.altered[6:])
    other = versions_of(embedding, "mel_statistics", clips, 0.25, versions=2, seed=1)
    assert not torch.equal(other.altered, both.altered)
