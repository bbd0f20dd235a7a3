"""The copy audit on real clips whose copies are known: takes, stitches, altered copies, and clips that are no copies.

    python benchmarks/audit/esc10.py [takes] [stitches] [altered] [alarms] [digits]

Reads `$GENAUDIO_DATA` (or ../shared/data beside the checkout): ESC-10 as `esc10/` and the spoken digits as `fsdd/`.
Without an argument all parts run, in about half an hour on one core. Clips are made with fixed seeds; `alterations.py`
says what happens to copies. The two recordings that ESC-10 has twice count as no false alarms, and are counted.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import soundfile
import torch
from alterations import CHANGES, RATE, STITCH_CHANGES, Change, Sound, noisy

from genaudio.audit import AuditedClip, AuditSettings, audit
from genaudio.audit.comparison import Comparer, Comparison, Query
from genaudio.audit.library import PatchLibrary
from genaudio.audit.listening import Listener
from genaudio.audit.scoring import calibrated, is_copy
from genaudio.audit.verdict import audited
from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import AudioClip, SoundFile
from genaudio.evaluation.clip_set import ClipSet

DATA = Path(os.environ.get("GENAUDIO_DATA") or Path(__file__).parents[3] / "shared" / "data")
GROUP = r"/\d-(\d+)-[A-Z]\."
# Recordings that ESC-10 has in two folds: half a second of their waveforms correlates by 0.9 to 1.0.
TWICE = {frozenset({"164064", "163288"}), frozenset({"145382", "164859"})}


def source(path: str | Path) -> str:
    return Path(path).name.split("-")[1]


def folds(clips: ClipSet, wanted: str) -> ClipSet:
    return clips.select([n for n, clip in enumerate(clips.clips) if clip.path.name[0] in wanted])


def read(clip: AudioClip) -> Sound:
    return clip.read(RATE)[0].numpy()


def written(folder: Path, sounds: list[tuple[Sound, str | None]], suffix: str = ".wav") -> ClipSet:
    clips = []
    for number, (sound, label) in enumerate(sounds):
        path = folder / f"{number:03d}{suffix}"
        if suffix == ".wav":
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        else:
            soundfile.write(path, np.clip(sound, -1, 1), RATE, format="MP3")
        clips.append(SoundFile(path, path.name, label))
    return ClipSet(folder, tuple(clips))


def takes(esc10: ClipSet) -> None:
    """For each clip with another take of its recording: is the nearest clip, itself left out, such a take?"""
    settings = AuditSettings(group_pattern=GROUP, use_labels=False)
    result = audit(esc10, esc10, settings=settings)
    sources = [source(clip.path) for clip in esc10.clips]
    with_takes = [clip for clip in result.clips if sources.count(source(clip.generated)) > 1]
    hits = sum(source(others(clip)[0]) == source(clip.generated) for clip in with_takes)
    print(f"takes: top-1 another take {hits} of {len(with_takes)} ({hits / len(with_takes):.3f}) among {len(sources)}")


def others(clip: AuditedClip) -> list[str]:
    return [match.training for match in clip.matches if match.training != clip.generated]


def stitches(esc10: ClipSet) -> None:
    """Two parts of two clips, 1.5 to 3.5 s each, 5 s in all, gains of ±6 dB; cut or cross-faded, and altered."""
    sounds = [read(clip) for clip in esc10.clips]
    chance = random.Random(11)
    drawn = [stitch(sounds, chance) for _ in range(100)]
    kinds: list[tuple[str, int, bool, Change]] = [
        ("cut, noise at 40 dB SNR", 100, False, STITCH_CHANGES["noise at 40 dB SNR"])
    ]
    kinds += [(f"cross-faded, {name}", 50, True, change) for name, change in STITCH_CHANGES.items()]
    made: list[tuple[Sound, str | None]] = []
    for _, count, faded, change in kinds:
        draws = np.random.default_rng(11)
        made += [(change(joined(sounds, parts, draws if faded else None), draws), None) for parts in drawn[:count]]
    with tempfile.TemporaryDirectory() as folder:
        clips = audit(written(Path(folder), made), esc10, settings=AuditSettings(group_pattern=GROUP)).clips
    for kind, count, _, _ in kinds:
        print(f"stitches: {kind}: {taken_apart(clips[:count], drawn, esc10)} of {count}")
        clips = clips[count:]


@dataclass(frozen=True)
class Part:
    """Samples `start` to `end` of a stitch are those of a clip from `at` on, times `gain`."""

    number: int
    start: int
    end: int
    at: int
    gain: float


def stitch(sounds: Sequence[Sound], chance: random.Random) -> tuple[Part, Part]:
    """Parts of two clips, neither silent beside its clip."""

    def excerpt_of(length: int) -> tuple[int, int]:
        while True:
            number = chance.randrange(len(sounds))
            sound = sounds[number]
            if len(sound) <= length:
                continue
            at = chance.randrange(len(sound) - length)
            power = np.mean(np.square(sound[at : at + length]))
            if power > 1e-6 and power > 0.05 * np.mean(np.square(sound)):
                return number, at

    while True:
        cut = chance.randrange(24000, 56000)
        (first, at), (second, then) = excerpt_of(cut), excerpt_of(80000 - cut)
        if first != second:
            gains = [10 ** (chance.uniform(-6, 6) / 20) for _ in range(2)]
            return Part(first, 0, cut, at, gains[0]), Part(second, cut, 80000, then, gains[1])


def joined(sounds: Sequence[Sound], parts: tuple[Part, Part], draws: np.random.Generator | None) -> Sound:
    """The stitch; with `draws` a cross-fade of 50 to 250 ms of equal power about the cut, as far as clips reach."""
    first, second = parts
    result = np.concatenate([part.gain * sounds[part.number][part.at :][: part.end - part.start] for part in parts])
    if draws is not None:
        behind = len(sounds[first.number]) - first.at - first.end
        half = min(round(draws.uniform(0.025, 0.125) * RATE), behind, second.at)
        ramp = np.linspace(0, np.pi / 2, 2 * half)
        out = first.gain * sounds[first.number][first.at + first.end - half :][: 2 * half]
        into = second.gain * sounds[second.number][second.at - half :][: 2 * half]
        result[first.end - half : first.end + half] = np.cos(ramp) * out + np.sin(ramp) * into
    return result.astype(np.float32)


def taken_apart(clips: Sequence[AuditedClip], truth: Sequence[tuple[Part, Part]], esc10: ClipSet) -> str:
    both = spans = verdicts = 0
    for clip, parts in zip(clips, truth, strict=False):
        names = [str(esc10.clips[part.number].path) for part in parts]
        both += {match.training for match in clip.matches[:2]} == set(names)
        verdicts += clip.verdict == "stitching copy" and set(clip.sources) == set(names)
        spans += all(
            near(clip, name, part.start / RATE, part.end / RATE, part.at / RATE)
            for name, part in zip(names, parts, strict=True)
        )
    return f"both sources first {both}, every span end within 0.25 s {spans}, exactly both sources named {verdicts}"


def near(clip: AuditedClip, name: str, start: float, end: float, training_start: float) -> bool:
    found = [span for match in clip.matches if match.training == name for span in match.spans]
    return any(
        abs(s.generated_start - start) < 0.25
        and abs(s.generated_end - end) < 0.25
        and abs(s.training_start - training_start) < 0.25
        and abs(s.training_end - training_start - (end - start)) < 0.25
        for s in found
    )


def altered(esc10: ClipSet) -> None:
    """Copies of 40 training clips (folds 1 to 3) after one change each; thresholds from fold 4."""
    training, held_out = folds(esc10, "123"), folds(esc10, "4")
    chosen = random.Random(1).sample(training.clips, 40)
    changes: dict[str, Change] = {
        **CHANGES,
        "the loudest second in a clip of fold 4": lambda x, draws: excerpt(
            x, read(held_out.clips[int(draws.integers(80))])
        ),
        "MP3": lambda x, draws: x,
    }
    with tempfile.TemporaryDirectory() as folder:
        sets = []
        for number, (name, change) in enumerate(changes.items()):
            place, draws = Path(folder, str(number)), np.random.default_rng(100 + number)
            place.mkdir()
            sounds = [(change(read(clip), draws).astype(np.float32), clip.label) for clip in chosen]
            sets.append(written(place, sounds, ".mp3" if name == "MP3" else ".wav"))
        made = ClipSet(Path(folder), tuple(clip for some in sets for clip in some.clips))
        result = audit(made, training, held_out=held_out)
    for number, name in enumerate(changes):
        print(f"altered: {name}: {found(result.clips[40 * number : 40 * number + 40], chosen)}")


def excerpt(sound: Sound, other: Sound) -> Sound:
    starts = range(0, len(sound) - RATE, 1600)
    best = max(starts, key=lambda start: float(np.sum(np.square(sound[start : start + RATE]))))
    piece, result = sound[best : best + RATE], other.copy()
    place = min(20000, max(0, len(other) - RATE))
    level = np.sqrt(np.mean(np.square(other)) / max(1e-12, np.mean(np.square(piece))))
    result[place : place + RATE] = level * piece[: len(result) - place]
    return result


def found(clips: Sequence[AuditedClip], truth: Sequence[AudioClip]) -> str:
    first = sum(clip.matches[0].training == str(true.path) for clip, true in zip(clips, truth, strict=True))
    return f"source first {first}, called a copy {sum(clip.verdict != 'new' for clip in clips)} of {len(truth)}"


def alarms(esc10: ClipSet) -> None:
    """Real clips called copies: train on two folds, calibrate on the third, test on the fourth, in all 12 ways."""
    called: dict[float, list[bool]] = {0.01: [], 0.05: []}  # of a recording that is in both folds?
    tested = 0
    for pair in combinations("1234", 2):
        compared = Compared(folds(esc10, "".join(pair)), esc10)
        for held_out, test in permutations(sorted(set("1234") - set(pair))):
            for rate, found in called.items():
                for clip in compared.audited(held_out, test, AuditSettings(false_alarm_rate=rate)):
                    if clip.verdict != "new":
                        found.append(frozenset({source(clip.generated), source(clip.matches[0].training)}) in TWICE)
            tested += len(folds(esc10, test).clips)
    for rate, found in called.items():
        twice = sum(found)
        print(
            f"alarms: rate asked {rate}: {len(found)} of {tested} called copies ({len(found) / tested:.4f}), {twice} "
            f"of them of a recording that is in both folds; without those {(len(found) - twice) / tested:.4f}"
        )


class Compared:
    """All clips of other folds against the training clips: compared once, whatever calibrates and at whatever rate."""

    def __init__(self, training: ClipSet, esc10: ClipSet) -> None:
        settings = AuditSettings()
        self._training = training.clips
        listener = Listener(settings, self._training, Progress())
        self._library = PatchLibrary(listener.whitening.components, torch.device("cpu"))
        for sound in listener.sounds(self._training, ""):
            self._library.add(sound)
        self._clips = [clip for clip in esc10.clips if clip not in self._training]
        comparer = Comparer(self._library, settings)
        self._comparisons = list(comparer.compare(Query(sound) for sound in listener.sounds(self._clips, "")))

    def audited(self, held_out: str, test: str, settings: AuditSettings) -> list[AuditedClip]:
        """As `audit` does it."""
        known = [pair for pair in self._of(held_out) if not is_copy(pair[1], settings)]
        judge = calibrated([found for _, found in known], [clip.label for clip, _ in known], settings)
        return [audited(clip, found, judge, self._library, self._training, settings) for clip, found in self._of(test)]

    def _of(self, fold: str) -> list[tuple[AudioClip, Comparison]]:
        pairs = zip(self._clips, self._comparisons, strict=True)
        return [(clip, found) for clip, found in pairs if clip.path.name[0] == fold]


def digits(fsdd: ClipSet) -> None:
    """1,200 training clips, 300 to calibrate with, 300 others; copies of 71 training clips."""
    clips = [replace(clip, label=clip.path.name[0]) for clip in fsdd.clips]

    def of_takes(first: int, last: int) -> ClipSet:
        return ClipSet(fsdd.folder, tuple(c for c in clips if first <= int(c.path.stem.split("_")[2]) <= last))

    training, held_out, rest = of_takes(5, 24), of_takes(30, 34), of_takes(40, 44)
    draws, chosen = np.random.default_rng(1), list(training.clips[::17])
    for rate in (0.01, 0.05):
        settings = AuditSettings(false_alarm_rate=rate)
        with tempfile.TemporaryDirectory() as folder:
            sounds = [(0.5 * noisy(read(clip), snr, draws), clip.label) for snr in (60, 40, 20) for clip in chosen]
            made = (*rest.clips, *written(Path(folder), sounds).clips)
            clips = audit(ClipSet(fsdd.folder, made), training, held_out=held_out, settings=settings).clips
        alarms = sum(clip.verdict != "new" for clip in clips[: len(rest.clips)])
        print(f"digits: rate asked {rate}: {alarms} of {len(rest.clips)} other takes called copies")
        for number, snr in enumerate((60, 40, 20)):
            first = len(rest.clips) + number * len(chosen)
            print(f"digits: copies at {snr} dB SNR: {found(clips[first : first + len(chosen)], chosen)}")


def main() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    wanted = sys.argv[1:] or ["takes", "stitches", "altered", "alarms", "digits"]
    esc10 = ClipSet.of_folder(DATA / "esc10")
    for part, run in (("takes", takes), ("stitches", stitches), ("altered", altered), ("alarms", alarms)):
        if part in wanted:
            run(esc10)
    if "digits" in wanted:
        digits(ClipSet.of_folder(DATA / "fsdd" / "recordings"))


if __name__ == "__main__":
    main()
