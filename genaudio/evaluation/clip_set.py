"""Clips to evaluate or to audit, with their classes: those of a folder, of a run, or of a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genaudio.core.errors import DataError
from genaudio.core.seeds import derive_seed
from genaudio.core.wording import listed
from genaudio.datasets.audio import SUFFIXES
from genaudio.datasets.base import Clips
from genaudio.datasets.files import audio_files
from genaudio.evaluation.audio_clip import AudioClip, DatasetClip, SoundFile, WaveformClip
from genaudio.evaluation.label_spelling import spelled_as

__all__ = ["ENDLESS", "AudioClip", "ClipSet"]

ENDLESS = 1000  # clips that are taken of a source without end when nobody says how many
_MANIFEST = "manifest.json"
_NAMED = 5  # missing files that an error names


@dataclass(frozen=True)
class ClipSet:
    """Clips in a fixed order. `folder` is where their names begin; for the clips of a dataset, its description."""

    folder: Path
    clips: tuple[AudioClip, ...]

    @classmethod
    def of_folder(cls, folder: Path) -> ClipSet:
        """The clips of a run, of `gen sample`, or every sound file below a folder, in the order of their names.

        A run directory stands for its `samples/`. Where generated clips have their manifest, it says which files
        belong to the set and of which class each is; elsewhere the class is the first sub-folder's name. Raises
        `DataError` if there is no sound, or if a file of the manifest is missing.
        """
        if (folder / "samples" / _MANIFEST).is_file():
            folder = folder / "samples"
        elif (folder / "run.json").is_file():
            raise DataError(
                f"the run {folder} holds no samples", expected="a run that has sampled", mend="finish it with `gen run`"
            )
        if not folder.is_dir():
            raise DataError(
                f"{folder} is {'a file' if folder.exists() else 'not there'}", expected="a folder of sound files"
            )
        labels = _manifest_labels(folder / _MANIFEST)
        if labels is None:
            names = [path.relative_to(folder) for path in audio_files(folder)]
            labels = {name.as_posix(): name.parts[0] if len(name.parts) > 1 else None for name in names}
        if not labels:
            raise DataError(f"no sound files in {folder}", expected=f"some of {', '.join(SUFFIXES)}")
        return cls(folder, tuple(SoundFile(folder / name, name, labels[name]) for name in sorted(labels)))

    @classmethod
    def of_clips(cls, clips: Clips, count: int | None = None, *, seed: int = 0, source: str = "dataset") -> ClipSet:
        """`count` clips of a dataset's split, as a model is trained on them; `source` is what to call it.

        All of them by default, of a source without end the first 1000. Fewer than all are drawn without replacement,
        so that clips that lie in the order of their classes give every class.
        """
        if clips.size is None:
            numbers: Iterable[int] = range(ENDLESS if count is None else count)
        elif count is None or count >= clips.size:
            numbers = range(clips.size)
        else:
            generator = torch.Generator().manual_seed(derive_seed(seed, "clip set"))
            numbers = torch.randperm(clips.size, generator=generator)[:count].sort().values.tolist()
        chosen = []
        for number in numbers:
            clip = clips.clip(number, seed)  # for its class and identity; the waveform is not kept
            label = None if clip.label is None else clips.classes[clip.label]
            chosen.append(DatasetClip(Path(clip.identity), clip.identity, label, clips, number, seed))
        if not chosen:
            raise DataError(f"no clips of {source}", expected="at least one")
        return cls(Path(source), tuple(chosen))

    @classmethod
    def of_waveforms(
        cls, waveforms: Iterable[Tensor], sample_rate: int, labels: Sequence[str | None], *, source: str = "memory"
    ) -> ClipSet:
        """Clips `(channels, time)` in memory, all at one rate (Hz); their names are their numbers."""
        clips = tuple(
            WaveformClip(Path(source) / str(number), str(number), label, waveform, sample_rate)
            for number, (waveform, label) in enumerate(zip(waveforms, labels, strict=True))
        )
        return cls(Path(source), clips)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """Each clip's class."""
        return tuple(clip.label for clip in self.clips)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are there, in order of name."""
        return tuple(sorted({label for label in self.labels if label is not None}))

    def select(self, numbers: Sequence[int]) -> ClipSet:
        """The clips of these numbers."""
        return replace(self, clips=tuple(self.clips[number] for number in numbers))

    def spelled_as(self, classes: Iterable[str]) -> ClipSet:
        """The same clips, their classes written as `classes` write them where only the spelling differs."""
        labels = spelled_as(self.labels, classes)
        return replace(
            self, clips=tuple(replace(clip, label=label) for clip, label in zip(self.clips, labels, strict=True))
        )


def _manifest_labels(path: Path) -> dict[str, str | None] | None:
    """Classes by file name, as the manifest of generated clips gives them; None where there is no such manifest."""
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or "genaudio" not in manifest:
            return None  # somebody else's
        labels: dict[str, str | None] = {clip["file"]: clip["label"] for clip in manifest["clips"]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read: {error!r}", expected="the manifest of generated clips", mend="sample again"
        ) from error
    missing = [name for name in labels if not (path.parent / name).is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(labels)} clips of {path} are not there: {listed(missing, _NAMED)}",
            expected="all clips that the manifest names",
            mend="copy the whole folder, or sample again",
        )
    return labels
