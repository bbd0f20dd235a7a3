"""The whole audit on sounds of which it is known what was copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genaudio.audit import AuditResult, AuditSettings, audit
from genaudio.core.errors import DataError
from genaudio.evaluation.audio_clip import SoundFile
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.mel_statistics import MelStatistics
from tests.audit.conftest import RATE, TRAINING, Sound, clip, events, made, noise, with_noise

SETTINGS = AuditSettings()


@pytest.fixture(scope="module")
def result(sets: tuple[ClipSet, ClipSet, ClipSet]) -> AuditResult:
    generated, training, held_out = sets
    return audit(generated, training, held_out=held_out, settings=SETTINGS)


def names(paths: tuple[str, ...]) -> list[str]:
    return [Path(path).name for path in paths]


@pytest.mark.parametrize(
    "name",
    [
        *("same.wav", "gain.wav", "shift.wav", "noise40.wav", "noise20.wav", "noise12.wav"),
        *("resampled.wav", "muffled.wav", "slower.wav", "coded.mp3"),
    ],
)
def test_an_altered_copy_is_an_exact_copy_of_its_source(result: AuditResult, name: str) -> None:
    found = clip(result, name)
    assert found.verdict == "exact copy"
    assert names(found.sources) == ["03.wav"]
    assert Path(found.matches[0].training).name == "03.wav"
    assert found.score == found.matches[0].score > found.threshold


def test_the_span_of_a_whole_copy_is_the_whole_clip(result: AuditResult) -> None:
    (span,) = clip(result, "same.wav").matches[0].spans
    assert (span.generated_start, span.generated_end) == (0.0, 2.0)
    assert (span.training_start, span.training_end) == (0.0, 2.0)
    assert span.score == pytest.approx(1.0, abs=1e-3)


def test_a_shift_is_the_difference_of_the_starts(result: AuditResult) -> None:
    span = clip(result, "shift.wav").matches[0].spans[0]
    assert span.generated_start - span.training_start == pytest.approx(1237 / RATE, abs=SETTINGS.hop)


def test_a_stitch_has_both_sources_and_their_spans(result: AuditResult) -> None:
    found = clip(result, "stitch.wav")
    assert found.verdict == "stitching copy"
    assert sorted(names(found.sources)) == ["05.wav", "08.wav"]
    assert {Path(match.training).name for match in found.matches[:2]} == {"05.wav", "08.wav"}
    spans = {Path(match.training).name: match.spans[0] for match in found.matches[:2]}
    for name, wanted in (("05.wav", (0.0, 1.0, 0.5, 1.5)), ("08.wav", (1.0, 2.0, 0.125, 1.125))):
        span = spans[name]
        ends = (span.generated_start, span.generated_end, span.training_start, span.training_end)
        assert ends == pytest.approx(wanted, abs=0.1)


def test_what_is_short_and_faint_beside_the_rest_is_no_second_source(result: AuditResult) -> None:
    found = clip(result, "faint.wav")
    assert (found.verdict, names(found.sources)) == ("exact copy", ["08.wav"])
    assert "05.wav" in names(tuple(match.training for match in found.matches))


def test_an_excerpt_in_a_new_clip_is_found_where_it_is(result: AuditResult) -> None:
    found = clip(result, "excerpt.wav")
    assert names(found.sources) == ["09.wav"]
    span = found.matches[0].spans[0]
    assert (span.generated_start, span.generated_end) == pytest.approx((0.5, 1.5), abs=0.1)
    assert span.training_start == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("name", ["new.wav", "rain.wav", "silence.wav", "longer.wav", "short.wav"])
def test_what_was_not_copied_is_new(result: AuditResult, name: str) -> None:
    """Noise is no copy of noise with the same spectrum, silence of no clip's silence."""
    found = clip(result, name)
    assert found.verdict == "new"
    assert found.sources == ()


@pytest.mark.parametrize("name", ["silence.wav", "short.wav"])
def test_a_clip_with_less_sound_than_a_patch_matches_nothing(result: AuditResult, name: str) -> None:
    assert clip(result, name).matches == ()


def test_matches_are_best_first_and_as_many_as_asked_for(result: AuditResult) -> None:
    for found in result.clips:
        scores = [match.score for match in found.matches]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) in (0, SETTINGS.matches)


def test_the_statistics_say_how_it_was_decided_and_are_plain(result: AuditResult) -> None:
    statistics = result.as_json()["statistics"]
    assert json.loads(json.dumps(statistics)) == statistics
    assert statistics["calibrated_on"] == "held-out clips"
    assert statistics["calibration_clips"] == 52
    assert statistics["false_alarm_rate"] == 0.01
    assert statistics["verdicts"]["copies"] == len(result.copies) == 13
    assert statistics["training_clips"] == TRAINING + 4
    assert statistics["clips_without_sound"] == 2
    assert any("too few to count" in text for text in statistics["limits"])


def test_neither_memory_nor_repetition_changes_anything(
    sets: tuple[ClipSet, ClipSet, ClipSet], result: AuditResult
) -> None:
    generated, training, held_out = sets
    few = generated.select([0, 10, 12])
    again = [
        audit(few, training, held_out=held_out, settings=SETTINGS.model_copy(update={"memory": memory}))
        for memory in (1, 512, 512)
    ]
    assert again[1].clips == again[2].clips
    for one, other in zip(again[0].clips, again[1].clips, strict=True):
        assert (one.verdict, one.sources) == (other.verdict, other.sources)
        assert one.score == pytest.approx(other.score, abs=1e-4)
    assert [found.score for found in again[1].clips] == pytest.approx(
        [clip(result, name).score for name in ("same.wav", "stitch.wav", "new.wav")], abs=1e-4
    )


def test_training_clips_calibrate_each_other_and_duplicates_among_them_do_not(
    clip_set: Callable[..., ClipSet],
) -> None:
    training = {f"{n:02d}.wav": events(n) for n in range(TRAINING)} | {"twin.wav": 0.5 * events(0)}
    result = audit(clip_set(made()).select([0, 12]), clip_set(training), settings=SETTINGS)
    assert [found.verdict for found in result.clips] == ["exact copy", "new"]
    assert result.statistics["calibrated_on"] == "training clips, each against all others"
    assert sorted(names(tuple(result.statistics["calibration_copies"]))) == ["00.wav", "twin.wav"]
    assert any("no held-out clips" in text for text in result.statistics["limits"])


def test_clips_of_one_recording_do_not_calibrate_each_other(clip_set: Callable[..., ClipSet]) -> None:
    """Two takes of each recording, overlapping by half: without the pattern some pass for copies and are left out."""
    takes = {}
    for n in range(12):
        whole = events(n, 2.5)
        takes |= {f"{n:02d}-A.wav": whole[:28000], f"{n:02d}-B.wav": whole[12000:]}
    training, generated = clip_set(takes), clip_set({"half.wav": np.concatenate([events(3, 2.5)[:14000], events(70)])})
    pattern = SETTINGS.model_copy(update={"group_pattern": r"^(\d+)-"})
    apart = audit(generated, training, settings=pattern)
    assert apart.statistics["calibration_copies"] == []
    assert apart.clips[0].verdict == "exact copy"
    with pytest.raises(DataError, match=r"\d+ clips to calibrate with"):
        audit(generated, training, settings=SETTINGS)
    with pytest.raises(DataError, match=r"is in no training clip's name"):
        audit(generated, training, settings=SETTINGS.model_copy(update={"group_pattern": r"take(\d)"}))


def test_labels_choose_the_threshold(sets: tuple[ClipSet, ClipSet, ClipSet]) -> None:
    generated, training, held_out = sets

    def labelled(clips: ClipSet) -> ClipSet:
        kinds = ["rain" if "rain" in clip.name else "events" for clip in clips.clips]
        return ClipSet(
            clips.folder, tuple(replace(clip, label=kind) for clip, kind in zip(clips.clips, kinds, strict=True))
        )

    few = labelled(generated.select([0, 13]))
    result = audit(few, labelled(training), held_out=labelled(held_out), settings=SETTINGS)
    assert set(result.statistics["scores"]["thresholds"]) == {"events", "rain", "all"}
    assert [found.threshold for found in result.clips] == [
        result.statistics["scores"]["thresholds"][label] for label in ("events", "rain")
    ]
    assert [found.verdict for found in result.clips] == ["exact copy", "new"]
    without = SETTINGS.model_copy(update={"use_labels": False})
    result = audit(few, labelled(training), held_out=labelled(held_out), settings=without)
    assert set(result.statistics["scores"]["thresholds"]) == {"all"}
    assert [found.label for found in result.clips] == ["events", "rain"]


def test_an_embedding_adds_its_cosine_and_is_named(sets: tuple[ClipSet, ClipSet, ClipSet]) -> None:
    generated, training, held_out = sets
    few = generated.select([0, 12])
    result = audit(few, training, held_out=held_out, settings=SETTINGS, embedding=MelStatistics())
    plain = audit(few, training, held_out=held_out, settings=SETTINGS)
    assert result.statistics["embedding"]["class"] == "MelStatistics"
    assert [found.verdict for found in result.clips] == ["exact copy", "new"]
    assert result.clips[0].score - plain.clips[0].score == pytest.approx(
        SETTINGS.embedding_weight
        + 0.4 * np.log((1 + plain.statistics["usual_stretch"]) / (1 + result.statistics["usual_stretch"])),
        abs=1e-3,
    )


def test_a_clip_too_short_for_a_long_stretch_is_a_copy_where_half_of_it_is(clip_set: Callable[..., ClipSet]) -> None:
    """A stretch of a clip of 0.2 s is no longer than those that longer clips have in common by chance."""
    training = clip_set({f"{n}.wav": events(n, 0.2 if n < 4 else 2.0) for n in range(24)})
    held_out = clip_set({f"{n}.wav": events(n) for n in range(100, 140)})
    generated = clip_set({"short.wav": with_noise(events(1, 0.2), 40), "other.wav": events(300, 0.2)})
    copy, new = audit(generated, training, held_out=held_out, settings=SETTINGS).clips
    threshold = audit(generated, training, held_out=held_out, settings=SETTINGS).statistics["stretches"]["thresholds"]
    assert set(threshold) == {"all"}
    assert copy.verdict == "exact copy"
    assert names(copy.sources) == ["1.wav"]
    assert new.verdict == "new"


def test_false_alarms_keep_to_the_rate(clip_set: Callable[..., ClipSet]) -> None:
    """Of 60 clips of the kind that it was calibrated with, at 1%: up to 3 has a chance of 99.6% if the rate holds."""
    training = clip_set({f"{n}.wav": events(n, 1.0) for n in range(30)})
    held_out = clip_set({f"{n}.wav": events(n, 1.0) for n in range(1000, 1050)})
    others = clip_set({f"{n}.wav": events(n, 1.0) for n in range(2000, 2060)})
    assert len(audit(others, training, held_out=held_out, settings=SETTINGS).copies) <= 3


def test_sets_that_cannot_be_audited_say_so(
    sets: tuple[ClipSet, ClipSet, ClipSet], clip_set: Callable[..., ClipSet]
) -> None:
    generated, training, held_out = sets
    empty = ClipSet(generated.folder, ())
    with pytest.raises(DataError, match="no generated clips"):
        audit(empty, training)
    with pytest.raises(DataError, match="no held-out clips"):
        audit(generated, training, held_out=empty)
    with pytest.raises(DataError, match="5 clips to calibrate with"):
        audit(generated, training, held_out=held_out.select(range(5)))
    silent = clip_set({"a.wav": np.zeros(8000, np.float32)})
    with pytest.raises(DataError, match="hold no sound"):
        audit(generated, silent)


def test_all_files_that_cannot_be_read_are_named_at_once(
    sets: tuple[ClipSet, ClipSet, ClipSet], tmp_path: Path
) -> None:
    generated, training, held_out = sets

    def spoilt(clips: ClipSet, name: str) -> ClipSet:
        path = tmp_path / name
        path.write_bytes(b"RIFF no sound")
        return replace(clips, clips=(*clips.clips[:3], SoundFile(path, name, None), *clips.clips[3:]))

    every = [spoilt(one, name) for one, name in ((generated, "g.wav"), (training, "t.wav"), (held_out, "h.wav"))]
    whole = sum(len(one.clips) for one in every)
    for settings in (SETTINGS, SETTINGS.model_copy(update={"whitening_clips": 1})):  # found first, or later on
        with pytest.raises(DataError) as raised:
            audit(every[0], every[1], held_out=every[2], settings=settings)
        text = str(raised.value)
        assert text.startswith(f"3 of {whole} clips cannot be used: ")
        assert all(f"{name}: unreadable" in text for name in ("g.wav", "t.wav", "h.wav"))
    many = ClipSet(tmp_path, tuple(SoundFile(tmp_path / "g.wav", str(n), None) for n in range(7)))
    with pytest.raises(DataError, match=r"7 of .* clips cannot be used: .*; and 2 more"):
        audit(many, training, held_out=held_out, settings=SETTINGS)
    with pytest.raises(DataError, match=r"^7 of 7 clips cannot be used"):  # each counts once
        audit(many, many, settings=SETTINGS)


def test_the_same_clip_is_a_copy_however_alike_the_training_clips_are(clip_set: Callable[..., ClipSet]) -> None:
    """Decaying sines 2% apart in pitch raise the threshold that they give each other above a whole copy's score."""

    def sines(shift: float) -> ClipSet:
        seconds = np.linspace(0.3, 1.6, 20)
        times = [np.arange(int(RATE * duration)) / RATE for duration in seconds]
        pitches = 220 * 1.02 ** (np.arange(20) + shift)
        sounds = [np.exp(-3 * t) * np.sin(2 * np.pi * f * t) for t, f in zip(times, pitches, strict=True)]
        return clip_set({f"{shift}-{n:02d}.wav": 0.5 * sound for n, sound in enumerate(sounds)})

    training = sines(0.0)
    same = audit(training, training).clips
    assert [clip.verdict for clip in same] == ["exact copy"] * 20
    assert [clip.sources for clip in same] == [(str(one.path),) for one in training.clips]
    assert any(clip.score < clip.threshold for clip in same)
    assert {clip.verdict for clip in audit(sines(0.5), training).clips} == {"new"}


def test_sets_without_sound_are_new_or_refused(clip_set: Callable[..., ClipSet]) -> None:
    silent = clip_set({f"{n}.wav": np.zeros(RATE, np.float32) for n in range(25)})
    training = clip_set({f"{n}.wav": events(n) for n in range(25)})
    assert {clip.verdict for clip in audit(silent, training).clips} == {"new"}
    with pytest.raises(DataError, match="0 clips to calibrate with"):
        audit(training, training, held_out=silent)
    short = clip_set({f"{n}.wav": events(n)[5000:5020] for n in range(25)})
    with pytest.raises(DataError, match=r"25 training clips, none of which holds 0.125 s of sound"):
        audit(training, short)


def test_noise_of_a_class_of_noise_is_no_copy_however_near_the_average(clip_set: Callable[..., ClipSet]) -> None:
    """Clips of swelling noise; generated ones are steady, and nearer to all of them than those to one another."""

    def gusts(seed: int) -> Sound:
        draws = np.random.default_rng(seed)
        swell = np.interp(np.arange(2 * RATE), np.linspace(0, 2 * RATE, 12), draws.uniform(0.05, 1, 12))
        return (noise(seed) * swell).astype(np.float32)

    training = clip_set({f"{n}.wav": gusts(n) for n in range(30)})
    held_out = clip_set({f"{n}.wav": gusts(n) for n in range(100, 130)})
    steady = clip_set({f"{n}.wav": noise(n) for n in range(200, 220)})
    assert {clip.verdict for clip in audit(steady, training, held_out=held_out).clips} == {"new"}
