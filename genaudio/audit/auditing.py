"""The audit: every generated clip against every training clip, with thresholds from clips that are no copies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from genaudio.audit.comparison import Comparer, Comparison, Query, enough_sound
from genaudio.audit.embedding import ClipEmbedder
from genaudio.audit.kind import CLIPS, Kind, class_limits
from genaudio.audit.library import PatchLibrary
from genaudio.audit.listening import Listener
from genaudio.audit.result import AuditedClip, AuditResult
from genaudio.audit.scoring import Judge, calibrated, is_copy
from genaudio.audit.verdict import audited
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import DataError
from genaudio.core.progress import Progress
from genaudio.core.wording import listed
from genaudio.evaluation.audio_clip import AudioClip
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.label_spelling import nothing_in_common
from genaudio.evaluation.unreadable import UnusableClipsError, unreadable


def audit(
    generated: ClipSet,
    training: ClipSet,
    *,
    held_out: ClipSet | None = None,
    settings: AuditSettings | None = None,
    embedding: Embedding | None = None,
    embedding_name: str = "",
    device: str | torch.device = "cpu",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Which generated clips are copies of training clips, of which, and where in time.

    The arguments are those of `Auditor`, which audits several sets against the same training clips. Raises `DataError`
    for sets that are empty, silent, or too few to calibrate with, and one that names all files that cannot be read.
    """
    _some(generated, "generated")
    try:
        return Auditor(
            training,
            held_out=held_out,
            settings=settings,
            embedding=embedding,
            embedding_name=embedding_name,
            device=device,
            cache=cache,
            progress=progress,
        ).audit(generated)
    except UnusableClipsError:
        sets = [one.clips for one in (training, held_out, generated) if one is not None]
        clips = list(
            {(clip.path, clip.name): clip for some in sets for clip in some}.values()
        )  # a set may be given twice
        wrong = unreadable(clips, (settings or AuditSettings()).sample_rate)
        if not wrong:
            raise
        raise UnusableClipsError.naming(wrong, len(clips)) from None


class Auditor:
    """Training clips, ready to be searched, with thresholds that were calibrated once.

    `held_out` are real clips that the model was not trained with: thresholds are what a share `false_alarm_rate` of
    them would exceed. Without them the training clips take their place, each compared with all others (see
    `group_pattern`). `device` is where the training clips' patches lie and are searched. What the embedding hears is
    kept below `cache`, if there is one, under `embedding_name`, by default its class's. The same clips and settings
    give the same result, whatever the memory, but for rounding.
    """

    def __init__(
        self,
        training: ClipSet,
        *,
        held_out: ClipSet | None = None,
        settings: AuditSettings | None = None,
        embedding: Embedding | None = None,
        embedding_name: str = "",
        device: str | torch.device = "cpu",
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        _some(training, "training")
        if held_out is not None:
            _some(held_out, "held-out")
        self._settings, self._training = settings or AuditSettings(), training.clips
        progress, where = progress or Progress(), torch.device(device)
        self._groups = _groups(self._training, self._settings.group_pattern)
        self._listener = Listener(self._settings, self._training, progress)
        self._embedder = None
        if embedding is not None:
            name = embedding_name or type(embedding).__name__
            self._embedder = ClipEmbedder(embedding, name, self._training, where, cache=cache, progress=progress)
        self._library = PatchLibrary(self._listener.whitening.components, where)
        heard = 0
        for sound in self._listener.sounds(self._training, "training clips"):
            self._library.add(sound)
            heard += enough_sound(sound, self._settings)
        if not heard:
            raise DataError(
                f"{len(self._training)} training clips, none of which holds {self._settings.patch:g} s of sound",
                expected="clips that are longer than a patch",
                mend="give longer clips, or set a shorter patch",
            )
        embedded = self._embedder.training if self._embedder is not None else None
        self._comparer = Comparer(self._library, self._settings, embedded)
        self._judge, self._calibration = self._calibrated(None if held_out is None else held_out.clips)

    def audit(self, generated: ClipSet) -> AuditResult:
        """The verdict on each generated clip, in order; raises `DataError` for an empty set or unreadable files."""
        _some(generated, "generated")
        comparisons = self._compared(generated.clips, [set()] * len(generated.clips), "generated clips")
        found = tuple(
            audited(clip, comparison, self._judge, self._library, self._training, self._settings)
            for clip, comparison in zip(generated.clips, comparisons, strict=True)
        )
        facts = {**self._calibration, **self._facts()}
        facts["limits"] = [*facts["limits"], *self._class_limits(generated)]
        return AuditResult(found, {**_counts(found), **facts})

    def _calibrated(self, held_out: Sequence[AudioClip] | None) -> tuple[Judge, dict[str, Any]]:
        """Thresholds from the held-out clips, or else from the training clips, and how they came about."""
        pool = held_out if held_out is not None else self._training
        drawn = self._drawn(len(pool), self._settings.calibration_clips)
        clips = [pool[number] for number in drawn]
        excluded = [self._same_recording(clip) for clip in clips]
        if held_out is None:
            excluded = [{number, *others} for number, others in zip(drawn, excluded, strict=True)]
        labels = [clip.label if self._settings.use_labels else None for clip in clips]
        comparisons = list(self._compared(clips, excluded, "calibration clips"))
        copies = [number for number, found in enumerate(comparisons) if is_copy(found, self._settings)]
        mute = [number for number, found in enumerate(comparisons) if not found.candidates]
        real = [number for number in range(len(clips)) if number not in {*copies, *mute}]
        judge = calibrated([comparisons[n] for n in real], [labels[n] for n in real], self._settings)
        facts: dict[str, Any] = {
            "false_alarm_rate": self._settings.false_alarm_rate,
            "calibrated_on": "training clips, each against all others" if held_out is None else "held-out clips",
            "calibration_clips": len(real),
            "calibration_copies": [str(clips[number].path) for number in copies],
            "calibration_clips_without_sound": len(mute),
            "scores": judge.scores.as_json(),
            "stretches": judge.stretches.as_json(),
            "usual_stretch": judge.scorer.chance,
        }
        limits = _limits(len(real), held_out is None, self._settings)
        if held_out is not None:
            kind = self._kind(judge)
            facts["training_beside_itself"] = kind.as_json()
            limits += kind.limits
            if self._settings.use_labels:
                limits += class_limits(_classes(self._training), _classes(held_out))
        return judge, facts | {"limits": limits}

    def _kind(self, judge: Judge) -> Kind:
        """How many training clips, each beside the others, score above the thresholds."""
        numbers = self._drawn(len(self._training), CLIPS)
        clips = [self._training[number] for number in numbers]
        excluded = [{number, *self._same_recording(clip)} for number, clip in zip(numbers, clips, strict=True)]
        found = self._compared(clips, excluded, "training clips beside each other")
        scores = [
            (judge.scorer.best(one), judge.scores.threshold(clip.label if self._settings.use_labels else None))
            for clip, one in zip(clips, found, strict=True)
            if one.candidates and not is_copy(one, self._settings)
        ]
        above = sum(score > threshold for score, threshold in scores)
        return Kind(len(scores), above, self._settings.false_alarm_rate)

    def _drawn(self, clips: int, most: int) -> list[int]:
        """The numbers of as many clips at most, drawn at random, in order."""
        generator = torch.Generator().manual_seed(self._settings.seed)
        drawn: list[int] = torch.randperm(clips, generator=generator)[:most].sort().values.tolist()
        return drawn

    def _class_limits(self, generated: ClipSet) -> list[str]:
        """Where generated clips have no threshold of their class."""
        if not self._settings.use_labels:
            return []
        training = _classes(self._training)
        if strangers := nothing_in_common(generated.classes, training, "training"):
            return [f"{strangers}. All are compared, against the one threshold of clips of any class"]
        known = self._judge.scores.thresholds
        lone = [label for label in generated.classes if label not in known and label not in training]
        if not lone or not any(label is not None for label in known):
            return []
        return [f"no training clips of {listed(lone)}: generated clips of that have the one threshold of any class"]

    def _facts(self) -> dict[str, Any]:
        """What the search was done in."""
        return {
            "training_clips": len(self._training),
            "components": self._listener.whitening.components,
            "library_bytes": self._library.bytes,
            "settings": self._settings.model_dump(mode="json"),
            "embedding": None if self._embedder is None else self._embedder.card,
        }

    def _compared(self, clips: Sequence[AudioClip], excluded: Sequence[set[int]], title: str) -> Iterator[Comparison]:
        embedded = [None] * len(clips) if self._embedder is None else self._embedder(clips)
        sounds = self._listener.sounds(clips, title)
        queries = (Query(*parts) for parts in zip(sounds, excluded, embedded, strict=True))
        return self._comparer.compare(queries)

    def _same_recording(self, clip: AudioClip) -> set[int]:
        """The training clips of the recording that this clip is of, as far as names tell."""
        recording = _recording(clip, self._settings.group_pattern)
        return self._groups.get(recording, set()) if recording is not None else set()


def _some(clips: ClipSet, name: str) -> None:
    if not clips.clips:
        raise DataError(f"no {name} clips", expected="at least one")


def _classes(clips: Sequence[AudioClip]) -> list[str]:
    return sorted({clip.label for clip in clips if clip.label is not None})


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
