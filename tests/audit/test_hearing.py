"""The second hearing: what noise and lost bands hide in a copy is hidden in its source too."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
import torch

from genaudio.audit.alignment import Alignment, Stretch
from genaudio.audit.hearing import SecondHearing
from genaudio.audit.patches import LOUD, QUIET, SILENT, PatchReader
from genaudio.audit.sound import Sound as Heard
from genaudio.audit.sound import coded
from genaudio.audit.whitening import Whitening
from genaudio.core.audit_settings import AuditSettings
from tests.audit.conftest import RATE, Sound, events

SETTINGS = AuditSettings()
TRAINING = 16


class World:
    """Training clips, and clips as the audit first hears them."""

    def __init__(self) -> None:
        self._reader = PatchReader(SETTINGS)
        patches = [self._reader(torch.from_numpy(events(n))) for n in range(TRAINING)]
        self._whitening = Whitening.fit([one.values[one.live] for one in patches], SETTINGS.components)
        self.training = {n: self.heard(events(n)) for n in range(TRAINING)}

    def heard(self, samples: Sound) -> Heard:
        patches = self._reader(torch.from_numpy(samples))
        whitened = self._whitening(patches.values, patches.live)
        return Heard(
            whitened, patches.frame_loudness, patches.patch_loudness, coded(patches.levels), len(samples) / RATE
        )

    def best(self, clip: Heard, training: dict[int, Heard]) -> dict[int, Stretch]:
        found = {n: Alignment(clip, one, SETTINGS.likeness).best() for n, one in training.items()}
        return {n: stretch for n, stretch in found.items() if stretch is not None}

    def twice(self, samples: Sound) -> tuple[dict[int, Stretch], dict[int, Stretch]]:
        """Best stretches by training clip, first and second hearing."""
        clip = self.heard(samples)
        first = self.best(clip, self.training)
        again, others = SecondHearing(clip, SETTINGS).of(self.training, first, [])
        return first, self.best(again, others)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def hiss(seed: int, level: float, length: int = 2 * RATE) -> Sound:
    return (level * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


@pytest.mark.parametrize("number", [2, 3, 7])
def test_a_copy_under_noise_is_more_like_its_source_at_the_second_hearing(world: World, number: int) -> None:
    first, second = world.twice(events(number) + hiss(number, 0.02))
    assert second[number].score > 1.1 * first[number].score
    assert max(stretch.score for n, stretch in second.items() if n != number) < 5


@pytest.mark.parametrize("number", [2, 3, 7])
def test_bands_that_a_copy_lost_are_left_out(world: World, number: int) -> None:
    copied = events(number)
    first, second = world.twice(soxr.resample(soxr.resample(copied, RATE, 8000), 8000, RATE))
    assert second[number].cosine > 0.9 > first[number].cosine
    assert second[number].last - second[number].first > 140


def test_a_part_that_is_played_more_softly_is_heard_as_softly(world: World) -> None:
    """Its source is as far above the noise as the part is, not as the clip's loudest sound is."""
    samples = np.concatenate([0.1 * events(4)[:RATE], events(40)[:RATE]]) + hiss(1, 0.001)
    first, second = world.twice(samples)
    assert first[4].lag == second[4].lag == 0
    assert second[4].cosine > first[4].cosine


def test_what_is_the_same_stays_the_same_and_what_is_new_stays_unlike(world: World) -> None:
    _, second = world.twice(events(5))
    assert second[5].cosine == pytest.approx(1.0, abs=1e-4)
    _, second = world.twice(events(50))
    assert max(stretch.score for stretch in second.values()) < 10


def test_a_tone_that_never_stops_has_finite_patches_none_of_them_loud(world: World) -> None:
    """It hides whatever is softer in its band, and has no other."""
    clip = world.heard(np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE).astype(np.float32))
    noise = {0: world.heard(hiss(0, 0.1))}
    again, others = SecondHearing(clip, SETTINGS).of(noise, world.best(clip, noise), [])
    assert again.patches.shape[0] == clip.patches.shape[0]
    assert all(bool(torch.isfinite(one.patches).all()) for one in (again, *others.values()))
    assert LOUD in clip.patch_loudness.tolist()
    assert set(again.patch_loudness.tolist()) <= {SILENT, QUIET}


def test_where_nothing_of_a_candidate_is_heard_all_stays_as_it_was(world: World) -> None:
    clip, silent = world.heard(events(5)), world.heard(np.zeros(2 * RATE, np.float32))
    again, others = SecondHearing(clip, SETTINGS).of({0: silent}, {}, [])
    assert again is clip
    assert others[0] is silent


def test_a_patch_that_does_not_rise_above_the_floor_is_silent_and_steady_noise_is_quiet(world: World) -> None:
    """A dip that is shorter than a tenth of the clip lies below the floor in all bands: it is like any other dip."""
    dipped = hiss(3, 0.1)
    dipped[RATE : RATE + 3000] *= 0.01
    clip = world.heard(dipped)
    again, _ = SecondHearing(clip, SETTINGS).of(world.training, {}, [])
    middle = (RATE + 1500) // 200
    assert clip.patch_loudness[middle] > SILENT
    assert again.patch_loudness[middle] == SILENT
    assert not bool(again.patches[middle].any())
    assert set(again.patch_loudness[20:60].tolist()) == {QUIET}
    assert set(clip.patch_loudness[20:60].tolist()) == {LOUD}


def test_levels_are_kept_to_half_a_decibel_whatever_the_gain() -> None:
    patches = PatchReader(SETTINGS)(torch.from_numpy(events(1)))
    kept = -0.5 * coded(patches.levels).float()
    assert float((kept - patches.levels.clamp_min(-127.5)).abs().max()) <= 0.25 + 1e-4
    quieter = PatchReader(SETTINGS)(torch.from_numpy(0.5 * events(1)))
    loud = patches.levels > -60
    assert torch.allclose(quieter.levels[loud], patches.levels[loud], atol=1e-3)
