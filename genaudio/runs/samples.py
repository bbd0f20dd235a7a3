"""Writing generated clips: one sound file each and a manifest of how they were made.

Files are written one by one, each whole or not at all, into a folder beside the final one, which is renamed at the end:
a run that was stopped in between goes on with the first file that is missing.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import soundfile
from torch import Tensor

import genaudio
from genaudio.core.errors import Interrupted, RunError
from genaudio.core.files import atomic_file, write_json, write_text
from genaudio.core.progress import Progress
from genaudio.core.seeds import derive_seed
from genaudio.reports.audio import SILENT_DBFS, level
from genaudio.runs.audit.screen import CopyScreen
from genaudio.runs.blocks import describe
from genaudio.runs.course import GENERATION, Course
from genaudio.runs.model import Model
from genaudio.runs.outputs import check_folder
from genaudio.runs.sampling import Cost, SamplingPlan

FORMAT = 1
_REQUEST, _DONE = "request.json", "clips.jsonl"  # in the working folder only
FLOOR_DBFS = -120.0  # what silence is written as: JSON has no infinity


@dataclass(frozen=True)
class SampleRequest:
    """Which clips to generate: `labels` (None in it: without a label), how many of each, and how to store them.

    `course` is what else than plain generation to do, `edit` what the manifest says of it. A clip that `screen` calls a
    copy is made anew from other noise.
    """

    labels: tuple[str | None, ...]
    clips_per_label: int
    plan: SamplingPlan
    seed: int
    first_index: int = 0
    batch_size: int = 16
    format: Literal["wav", "flac"] = "wav"
    bit_depth: int = 16
    course: Course = GENERATION
    edit: Mapping[str, Any] | None = None
    screen: CopyScreen | None = None

    @property
    def count(self) -> int:
        """Clips in all."""
        return len(self.labels) * self.clips_per_label

    def items(self) -> list[tuple[int, str | None]]:
        """Index and label of every clip: each has its own index, also across labels."""
        labels = [label for label in self.labels for _ in range(self.clips_per_label)]
        return list(enumerate(labels, self.first_index))


def write_samples(
    model: Model,
    request: SampleRequest,
    folder: Path,
    progress: Progress,
    complete: Callable[[Path, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Generate what is asked for into `folder` and return the manifest, which is there as `manifest.json` too.

    Each clip has its own item index, also across labels. A clip that peaks above full scale is turned down, which its
    entry says (`gain_db`); it is never clipped. `complete` may add files to the folder, and to the manifest, before it
    takes its final name. After Ctrl-C, `Interrupted` says how many clips are kept for the same call to go on with.
    """
    folder = folder.absolute()
    manifest = _manifest(model, request)
    finished = _finished_before(folder, manifest)
    if finished is not None:
        return finished
    check_folder(folder)
    partial = _partial_folder(folder, manifest)
    done = _done_before(partial)
    before = len(done)
    progress.start("sample", request.count, before, unit="clips")
    began = time.perf_counter()
    try:
        _write(model, request, [item for item in request.items() if item[0] not in done], partial, progress, done)
        if request.screen is not None:
            manifest["rejected"] = _replace_copies(model, request, request.screen, partial, progress, done)
    except KeyboardInterrupt:
        progress.finish()
        given = f"stopped; {len(done)} of {request.count} clips are made and kept"
        raise Interrupted(given, mend="go on with the same command") from None
    clips = [done[index] for index in sorted(done)]
    made = len(clips) - before
    manifest["seconds_per_clip"] = round((time.perf_counter() - began) / made, 3) if made else None
    for count in ("evaluations", "network_evaluations"):
        manifest[count] = _mean([clip[count] for clip in clips])
    manifest["silent_clips"] = sum(clip["rms_dbfs"] < SILENT_DBFS for clip in clips)
    manifest["attenuated_clips"] = sum(clip["gain_db"] < 0 for clip in clips)
    manifest["clips"] = clips
    if complete is not None:
        complete(partial, manifest)
    write_json(partial / "manifest.json", manifest)
    for name in (_REQUEST, _DONE):
        (partial / name).unlink()
    if folder.exists():
        folder.rmdir()
    partial.rename(folder)
    progress.finish()
    for fault, what in (("silent_clips", "are silent"), ("attenuated_clips", "peaked above full scale: turned down")):
        if manifest[fault]:
            progress.say(f"sample: {manifest[fault]} of {len(clips)} clips {what}")
    return manifest


def _replace_copies(
    model: Model, request: SampleRequest, screen: CopyScreen, folder: Path, progress: Progress, done: dict[int, Any]
) -> list[dict[str, Any]]:
    """Move clips that are copies into `rejected/` and make others in their place, until none is left; the rejected.

    Indices of the new ones follow those of all that were asked for. Raises `RunError` if the tries do not suffice.
    """
    rejected: list[dict[str, Any]] = []
    judged = sorted(done)
    following = request.first_index + request.count
    for attempt in range(screen.tries + 1):
        copies = screen.copies(folder, [done[index] for index in judged])
        for index, clip in copies.items():
            entry = done.pop(index)
            place = folder / "rejected" / entry["file"]
            place.parent.mkdir(parents=True, exist_ok=True)
            (folder / entry["file"]).rename(place)
            facts = {"verdict": clip.verdict, "score": clip.score, "threshold": clip.threshold}
            rejected.append(entry | {"file": f"rejected/{entry['file']}"} | facts | {"sources": list(clip.sources)})
        if not copies:
            return rejected
        progress.say(f"sample: {len(copies)} of {len(judged)} clips are copies of training clips, and made anew")
        if attempt < screen.tries:
            labels = [entry["label"] for entry in rejected[-len(copies) :]]
            items = list(enumerate(labels, following))
            following += len(items)
            judged = [index for index, _ in items]
            _write(model, request, items, folder, progress, done)
    raise RunError(
        f"{len(copies)} clips are copies of training clips after {screen.tries} tries to make others",
        expected="a model that makes new clips",
        mend="look at them with `gen audit`; train on more clips or for fewer steps, or use anti_memorization guidance",
    )


def _write(
    model: Model,
    request: SampleRequest,
    missing: list[tuple[int, str | None]],
    folder: Path,
    progress: Progress,
    done: dict[int, dict[str, Any]],
) -> None:
    """Make the items `missing` and write each; what is written goes into `done`."""
    if not missing:
        return
    before = len(done)
    costs: list[Cost] = []
    batches = model.stream(
        request.plan,
        [index for index, _ in missing],
        [label for _, label in missing],
        request.seed,
        batch_size=min(request.batch_size, model.tile),
        course=request.course,
        on_step=lambda clips: progress.update(
            before + clips, label=missing[min(int(clips), len(missing) - 1)][1] or ""
        ),
        on_cost=costs.append,
    )
    waveforms = (waveform for batch in batches for waveform in batch)
    for position, ((index, label), waveform) in enumerate(zip(missing, waveforms, strict=True)):
        name = f"{file_name(label)}/{index:04d}.{request.format}"
        facts = {"file": name, "label": label, "index": index, "seed": derive_seed(request.seed, "item", index)}
        written = write_clip(folder / name, waveform, model.sample_rate, request)
        done[index] = facts | written | vars(costs[position])
        with (folder / _DONE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[index]) + "\n")


def write_clip(path: Path, waveform: Tensor, sample_rate: int, request: SampleRequest) -> dict[str, Any]:
    """Write a waveform `(channels, time)` as `request` wants files; its gain and levels."""
    peak = float(waveform.abs().max())
    if not math.isfinite(peak):
        raise RunError(
            f"the clip for {path.name} is not finite",
            expected="finite samples",
            mend="lower the guidance scale if there is one; else look at the loss curve: the model may have diverged",
        )
    full_scale = 1 - 2.0 ** (1 - request.bit_depth)
    gain = min(1.0, full_scale / peak) if peak > 0 else 1.0
    with atomic_file(path) as partial:
        data = (waveform * gain).T.contiguous().numpy()
        subtype = f"PCM_{request.bit_depth}"
        soundfile.write(partial, data, sample_rate, format=request.format.upper(), subtype=subtype)
    return {"gain_db": round(20 * math.log10(gain), 2), **levels(waveform * gain)}


def _mean(counts: list[int]) -> int | float:
    """The mean count, whole where all are the same."""
    mean = sum(counts) / len(counts)
    return int(mean) if mean.is_integer() else round(mean, 2)


def levels(waveform: Tensor) -> dict[str, float]:
    """Peak and RMS level of a waveform `(channels, time)` in dBFS, at least -120, rounded to 0.01 dB."""
    measured = level(waveform.numpy())
    return {
        "peak_dbfs": round(max(measured.peak_dbfs, FLOOR_DBFS), 2),
        "rms_dbfs": round(max(measured.rms_dbfs, FLOOR_DBFS), 2),
    }


def file_name(label: str | None) -> str:
    """A folder name for a label; clips without one go to `unlabelled`."""
    return re.sub(r"[^\w.-]+", "_", label).strip(".") or "_" if label is not None else "unlabelled"


def _manifest(model: Model, request: SampleRequest) -> dict[str, Any]:
    plan = request.plan
    generator = model.generator()
    return {
        "format": FORMAT,
        "genaudio": genaudio.__version__,
        "model": _identity(model),
        "sample_rate": model.sample_rate,
        "seed": request.seed,
        "solver": describe("solver", plan.solver),
        "schedule": describe("schedule", plan.schedule),
        "guidance": describe("guidance", plan.guidance),
        "weak_models": [_identity(weak) | {"path": path} for path, weak in plan.weak.items()],
        "num_steps": generator.budget(plan, request.course).num_steps,
        "sigmas": generator.sigmas(plan).tolist(),
        "device": model.device.type,
        "request": {
            "labels": list(request.labels),
            "clips_per_label": request.clips_per_label,
            "first_index": request.first_index,
            "format": request.format,
            "bit_depth": request.bit_depth,
        },
        **({} if request.edit is None else {"edit": dict(request.edit)}),
        **({} if request.screen is None else {"screen": dict(request.screen.facts)}),
    }


def _identity(model: Model) -> dict[str, Any]:
    return {key: model.card[key] for key in ("name", "step", "sha256")}


def _finished_before(folder: Path, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest that stands in `folder`, if it is of these very clips."""
    try:
        written: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        same = all(written[key] == value for key, value in json.loads(json.dumps(manifest)).items())
        return written if same and written["clips"] else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _partial_folder(folder: Path, manifest: dict[str, Any]) -> Path:
    """The working folder, with the files of an earlier try if that asked for the same."""
    partial = folder.with_name(f".{folder.name}.partial")
    request = partial / _REQUEST
    if partial.exists():
        try:
            same = json.loads(request.read_text(encoding="utf-8")) == json.loads(json.dumps(manifest))
        except (OSError, ValueError):
            same = False
        if not same:
            shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    write_json(request, manifest)
    return partial


def _done_before(folder: Path) -> dict[int, dict[str, Any]]:
    """Entries of the clips that an earlier try has written, by index."""
    done: dict[int, dict[str, Any]] = {}
    path = folder / _DONE
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut short by a kill
        if (folder / entry["file"]).exists():
            done[entry["index"]] = entry
    write_text(path, "".join(json.dumps(entry) + "\n" for entry in done.values()))
    return done
