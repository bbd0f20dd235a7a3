"""The audit on ESC-10: takes of one recording find each other, stitches their sources and places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genaudio.audit import AuditSettings, audit
from genaudio.evaluation.clip_set import ClipSet
from tests.audit.conftest import RATE, Sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SETTINGS = AuditSettings(group_pattern=r"/\d-(\d+)-[A-Z]\.")


def source(path: str | Path) -> str:
    return Path(path).name.split("-")[1]


@pytest.fixture(scope="module")
def esc10(shared_data: Path) -> ClipSet:
    return ClipSet.of_folder(shared_data / "esc10")


def test_the_nearest_other_clip_is_a_take_of_the_same_recording(esc10: ClipSet) -> None:
    result = audit(esc10, esc10, settings=SETTINGS)
    sources = [source(clip.path) for clip in esc10.clips]
    hits, count = 0, 0
    for clip in result.clips:
        if sources.count(source(clip.generated)) > 1:
            nearest = next(match.training for match in clip.matches if match.training != clip.generated)
            hits, count = hits + (source(nearest) == source(clip.generated)), count + 1
    assert hits / count > 0.58


def test_stitches_of_two_recordings_are_taken_apart(esc10: ClipSet, clip_set: Callable[..., ClipSet]) -> None:
    draws = np.random.default_rng(5)
    sounds = [clip.read(RATE)[0].numpy() for clip in esc10.clips]
    training = [number for number, clip in enumerate(esc10.clips) if clip.path.name[0] in "123"]
    held_out = [number for number, clip in enumerate(esc10.clips) if clip.path.name[0] == "4"]
    made: dict[str, Sound] = {}
    truth = []
    while len(made) < 20:
        parts, place = [], []
        for number in draws.choice(training, 2, replace=False):
            start = int(draws.integers(0, len(sounds[number]) - 40000))
            part = sounds[number][start : start + 40000]
            if np.mean(np.square(part)) > max(1e-6, 0.1 * np.mean(np.square(sounds[number]))):
                parts.append(10 ** (draws.uniform(-6, 6) / 20) * part)
                place.append((str(esc10.clips[number].path), start / RATE))
        if len(parts) == 2:
            whole = np.concatenate(parts)
            level = 0.01 * np.sqrt(np.mean(np.square(whole)))
            made[f"{len(made)}.wav"] = (whole + level * draws.standard_normal(len(whole))).astype(np.float32)
            truth.append(place)
    result = audit(clip_set(made), esc10.select(training), held_out=esc10.select(held_out), settings=AuditSettings())
    both = spans = 0
    for number, place in enumerate(truth):
        clip = next(clip for clip in result.clips if Path(clip.generated).name == f"{number}.wav")
        both += {match.training for match in clip.matches[:2]} == {path for path, _ in place}
        found = {match.training: match.spans[0] for match in clip.matches if match.spans}
        spans += all(
            path in found
            and abs(found[path].generated_start - 2.5 * part) < 0.25
            and abs(found[path].generated_end - 2.5 * (part + 1)) < 0.25
            and abs(found[path].training_start - start) < 0.25
            for part, (path, start) in enumerate(place)
        )
    assert both >= 19
    assert spans >= 17
