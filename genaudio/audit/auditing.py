"""The audit: every generated clip against every training clip, with thresholds from clips that are no copies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from genaudio.audit.comparison import Comparer, Comparison, Query
from genaudio.audit.embedding import ClipEmbedder
from genaudio.audit.library import PatchLibrary
from genaudio.audit.listening import Listener
from genaudio.audit.result import AuditedClip, AuditResult
from genaudio.audit.scoring import Judge, calibrated, is_copy
from genaudio.audit.settings import AuditSettings
from genaudio.audit.verdict import audited
from genaudio.core.errors import DataError
from genaudio.core.progress import Progress
from genaudio.evaluation.clip_set import AudioClip, ClipSet
from genaudio.evaluation.embeddings.base import Embedding


def audit(
    generated: ClipSet,
    training: ClipSet,
    *,
    held_out: ClipSet | None = None,
    settings: AuditSettings | None = None,
    embedding: Embedding | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> AuditResult:
    """Which generated clips are copies of training clips, of which, and where in time.

    `held_out` are real clips that the model was not trained with: thresholds are what a share `false_alarm_rate` of
    them would exceed. Without them the training clips take their place, each compared with all others (see
    `group_pattern`). `device` is where the training clips' patches lie and are searched. The same clips and settings
    give the same result, whatever the memory, but for rounding. Raises `DataError` for sets that are empty, silent, or
    too few to calibrate with, and for files that cannot be read.
    """
    settings, progress = settings or AuditSettings(), progress or Progress()
    for clips, name in ((generated, "generated"), (training, "training"), (held_out, "held-out")):
        if clips is not None and not clips.clips:
            raise DataError(f"no {name} clips", expected="at least one")
    auditor = _Auditor(training.clips, settings, embedding, torch.device(device), progress)
    judge, calibration = auditor.calibrated(held_out.clips if held_out is not None else None)
    found = tuple(auditor.audited(generated.clips, judge))
    return AuditResult(found, {**_counts(found), **calibration, **auditor.facts()})


class _Auditor:
    """The training clips, ready to be searched."""

    def __init__(
        self,
        training: Sequence[AudioClip],
        settings: AuditSettings,
        embedding: Embedding | None,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self._settings, self._training = settings, training
        self._groups = _groups(training, settings.group_pattern)
        self._listener = Listener(settings, training, progress)
        self._embedder = ClipEmbedder(embedding, training, device, progress) if embedding is not None else None
        self._library = PatchLibrary(self._listener.whitening.components, device)
        for sound in self._listener.sounds(training, "training clips"):
            self._library.add(sound)
        embedded = self._embedder.training if self._embedder is not None else None
        self._comparer = Comparer(self._library, settings, embedded)

    def calibrated(self, held_out: Sequence[AudioClip] | None) -> tuple[Judge, dict[str, Any]]:
        """Thresholds from the held-out clips, or else from the training clips, and how they came about."""
        pool = held_out if held_out is not None else self._training
        generator = torch.Generator().manual_seed(self._settings.seed)
        count = self._settings.calibration_clips
        drawn = torch.randperm(len(pool), generator=generator)[:count].sort().values.tolist()
        clips = [pool[number] for number in drawn]
        excluded = [self._same_recording(clip) for clip in clips]
        if held_out is None:
            excluded = [{number, *others} for number, others in zip(drawn, excluded, strict=True)]
        labels = [clip.label if self._settings.use_labels else None for clip in clips]
        comparisons = list(self._compared(clips, excluded, "calibration clips"))
        copies = [number for number, found in enumerate(comparisons) if is_copy(found, self._settings)]
        real = [number for number in range(len(clips)) if number not in set(copies)]
        judge = calibrated([comparisons[n] for n in real], [labels[n] for n in real], self._settings)
        facts = {
            "false_alarm_rate": self._settings.false_alarm_rate,
            "calibrated_on": "training clips, each against all others" if held_out is None else "held-out clips",
            "calibration_clips": len(real),
            "calibration_copies": [str(clips[number].path) for number in copies],
            "scores": judge.scores.as_json(),
            "stretches": judge.stretches.as_json(),
            "usual_stretch": judge.scorer.chance,
            "limits": _limits(len(real), held_out is None, self._settings),
        }
        return judge, facts

    def audited(self, clips: Sequence[AudioClip], judge: Judge) -> Iterator[AuditedClip]:
        """The verdict on each generated clip, in order."""
        comparisons = self._compared(clips, [set()] * len(clips), "generated clips")
        for clip, comparison in zip(clips, comparisons, strict=True):
            yield audited(clip, comparison, judge, self._library, self._training, self._settings)

    def facts(self) -> dict[str, Any]:
        """What the search was done in."""
        return {
            "training_clips": len(self._training),
            "components": self._listener.whitening.components,
            "library_bytes": self._library.bytes,
            "settings": self._settings.model_dump(mode="json"),
            "embedding": None if self._embedder is None else self._embedder.card,
        }

    def _compared(self, clips: Sequence[AudioClip], excluded: Sequence[set[int]], title: str) -> Iterator[Comparison]:
        sounds = self._listener.sounds(clips, title)
        queries = (
            Query(sound, barred, self._embedder(clip) if self._embedder is not None else None)
            for clip, barred, sound in zip(clips, excluded, sounds, strict=True)
        )
        return self._comparer.compare(queries)

    def _same_recording(self, clip: AudioClip) -> set[int]:
        """The training clips of the recording that this clip is of, as far as names tell."""
        recording = _recording(clip, self._settings.group_pattern)
        return self._groups.get(recording, set()) if recording is not None else set()


def _recording(clip: AudioClip, pattern: str | None) -> str | None:
    found = re.search(pattern, clip.name) if pattern is not None else None
    return found.group(1) if found is not None else None


def _groups(training: Sequence[AudioClip], pattern: str | None) -> dict[str, set[int]]:
    """The training clips of each recording that the pattern finds in a name."""
    groups: dict[str, set[int]] = {}
    for number, clip in enumerate(training):
        recording = _recording(clip, pattern)
        if recording is not None:
            groups.setdefault(recording, set()).add(number)
    if pattern is not None and not groups:
        raise DataError(
            f"group_pattern {pattern!r} is in no training clip's name",
            expected=f"names such as {training[0].name}",
            mend="change group_pattern, or leave it out",
        )
    return groups


def _counts(clips: Sequence[AuditedClip]) -> dict[str, Any]:
    """How many clips got which verdict, and the share of copies, overall and by class."""

    def counted(some: Sequence[AuditedClip]) -> dict[str, Any]:
        verdicts = Counter(clip.verdict for clip in some)
        copies = len(some) - verdicts["new"]
        return {
            "clips": len(some),
            **{str(verdict): count for verdict, count in sorted(verdicts.items())},
            "copies": copies,
            "share_of_copies": copies / len(some),
        }

    labels = sorted({clip.label for clip in clips if clip.label is not None})
    return {
        "generated_clips": len(clips),
        "clips_without_sound": sum(not clip.matches for clip in clips),
        "verdicts": counted(clips),
        "by_class": {label: counted([clip for clip in clips if clip.label == label]) for label in labels},
    }


def _limits(clips: int, itself: bool, settings: AuditSettings) -> list[str]:
    """What these thresholds cannot promise."""
    limits = []
    if clips * settings.false_alarm_rate < 10:
        limits.append(
            f"{clips} clips are too few to count a rate of {settings.false_alarm_rate:g}: the thresholds are read off "
            "a tail fitted to the largest scores"
        )
    if itself:
        limits.append(
            "no held-out clips: thresholds are of training clips against each other, and several clips of one "
            "recording raise them"
            + ("" if settings.group_pattern is None else " where group_pattern does not tell them apart")
        )
    return limits
