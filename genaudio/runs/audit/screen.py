"""A screen against copies: what tells, while clips are generated, which of them are copies of training clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genaudio.audit.auditing import Auditor
from genaudio.audit.result import AuditedClip
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.progress import Progress
from genaudio.evaluation.audio_clip import SoundFile
from genaudio.evaluation.clip_set import ClipSet


@dataclass(frozen=True)
class CopyScreen:
    """Training clips that generated ones are searched for; `facts` say of a manifest what it was screened by.

    A copy is replaced at most `tries` times.
    """

    auditor: Auditor
    facts: Mapping[str, Any]
    tries: int

    @classmethod
    def of(
        cls,
        training: ClipSet,
        held_out: ClipSet | None,
        settings: AuditSettings,
        *,
        tries: int,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> CopyScreen:
        """A screen, calibrated; raises `GenaudioError` for clips that cannot be used."""
        auditor = Auditor(training, held_out=held_out, settings=settings, device=device, progress=progress)
        facts = {
            "training": str(training.folder),
            "training_clips": len(training.clips),
            "settings": settings.model_dump(mode="json"),
            "tries": tries,
        }
        return cls(auditor, facts, tries)

    def copies(self, folder: Path, entries: Sequence[Mapping[str, Any]]) -> dict[int, AuditedClip]:
        """The copies among clips of a manifest, by index."""
        clips = ClipSet(
            folder, tuple(SoundFile(folder / entry["file"], entry["file"], entry["label"]) for entry in entries)
        )
        judged = self.auditor.audit(clips).clips
        return {entry["index"]: clip for entry, clip in zip(entries, judged, strict=True) if clip.verdict != "new"}
