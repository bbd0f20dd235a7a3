"""What is told of held-out clips that are not like training clips, and of classes that sets do not share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from genaudio.audit import AuditSettings, audit
from genaudio.evaluation.clip_set import ClipSet
from tests.audit.conftest import clip, events, noise, with_noise

SETTINGS = AuditSettings()


def labelled(clips: ClipSet, label: str) -> ClipSet:
    return replace(clips, clips=tuple(replace(clip, label=label) for clip in clips.clips))


def test_sets_of_other_classes_are_compared_and_it_is_said(sets: tuple[ClipSet, ClipSet, ClipSet]) -> None:
    generated, training, held_out = sets
    found = audit(
        labelled(generated, "doors"),
        labelled(training, "bells"),
        held_out=labelled(held_out, "bells"),
        settings=SETTINGS,
    )
    (note,) = [limit for limit in found.statistics["limits"] if "class" in limit]
    assert note.startswith("no class is in common: generated clips are of doors; training clips of bells.")
    assert "name them alike" in note
    assert clip(found, "same.wav").verdict == "exact copy"
    part = replace(generated, clips=(*labelled(generated, "bells").clips[:2], *labelled(generated, "doors").clips[2:]))
    some = audit(part, labelled(training, "bells"), held_out=labelled(held_out, "bells"), settings=SETTINGS)
    assert (
        "no training clips of doors: generated clips of that have the one threshold of any class"
        in (some.statistics["limits"])
    )


def of_another_kind(limits: list[str]) -> list[str]:
    return [limit for limit in limits if "of another kind" in limit]


def test_held_out_clips_of_another_kind_are_noticed(
    sets: tuple[ClipSet, ClipSet, ClipSet], clip_set: Callable[..., ClipSet]
) -> None:
    generated, training, held_out = sets
    ours = audit(generated.select([0]), training, held_out=held_out, settings=SETTINGS).statistics
    assert of_another_kind(ours["limits"]) == []
    assert ours["training_beside_itself"]["clips"] == 28
    strangers = clip_set({f"{n}.wav": noise(n) for n in range(300, 330)})
    theirs = audit(generated.select([0]), training, held_out=strangers, settings=SETTINGS).statistics
    above = theirs["training_beside_itself"]["above"]
    assert above > 14
    assert theirs["training_beside_itself"]["share_allowed"] == pytest.approx(0.1 + 5 * 0.01)
    (limit,) = of_another_kind(theirs["limits"])
    assert limit.startswith(f"{above} of 28 training clips, each beside the others, are above the thresholds")
    assert theirs["scores"]["thresholds"]["all"] < ours["scores"]["thresholds"]["all"]


def test_takes_of_recordings_that_names_tell_raise_no_alarm(clip_set: Callable[..., ClipSet]) -> None:
    takes = {f"{n:02d}-{take}.wav": with_noise(events(n), 40, seed=take) for n in range(14) for take in range(2)}
    training = clip_set(takes)
    held_out = clip_set({f"{n}.wav": events(n) for n in range(100, 125)})
    for pattern in (None, r"(\d+)-\d"):  # a take is plainly a copy of the other, and left out, or not looked at
        settings = SETTINGS.model_copy(update={"group_pattern": pattern})
        found = audit(training.select([0]), training, held_out=held_out, settings=settings).statistics
        assert of_another_kind(found["limits"]) == []
        assert found["training_beside_itself"]["clips"] == (0 if pattern is None else 28)


def test_classes_that_held_out_clips_lack_are_named(sets: tuple[ClipSet, ClipSet, ClipSet]) -> None:
    generated, training, held_out = sets
    mixed = replace(training, clips=(*labelled(training, "bells").clips[:14], *labelled(training, "doors").clips[14:]))
    one = generated.select([0])
    found = audit(one, mixed, held_out=labelled(held_out, "bells"), settings=SETTINGS).statistics["limits"]
    assert any(limit.startswith("held-out clips lack 1 of 2 classes of the training clips (doors)") for limit in found)
    found = audit(one, mixed, held_out=held_out, settings=SETTINGS).statistics["limits"]
    assert any(limit.startswith("held-out clips have no classes") for limit in found)
    unlabelled = SETTINGS.model_copy(update={"use_labels": False})
    found = audit(one, mixed, held_out=held_out, settings=unlabelled).statistics["limits"]
    assert not any("classes" in limit for limit in found)
