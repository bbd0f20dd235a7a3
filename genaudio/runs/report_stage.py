"""The stage `report` of a run: one page of what the other stages have made and found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

from genaudio.core.errors import RunError
from genaudio.reports.data import ReportData, Sound
from genaudio.reports.page import write_report
from genaudio.runs.audit.table import report_tables
from genaudio.runs.evaluation.table import notes_of, report_table
from genaudio.runs.real_clips import some_of_each
from genaudio.runs.results import read_results
from genaudio.runs.versions import versions
from genaudio.training.log import read_metrics

if TYPE_CHECKING:
    from genaudio.runs.pipeline import RunContext


def report(context: RunContext) -> dict[str, object]:
    """Write the page: listen, look, compare."""
    recipe, files = context.recipe, context.directory
    record = files.read()["stages"]
    manifest = _manifest(files.samples)
    clips = context.clips("train")
    shown = list(dict.fromkeys(clip["label"] for clip in manifest["clips"]))
    kept = shown[: recipe.report.max_classes]
    generated = _generated(context, manifest, kept)
    training = [
        Sound(label, clip.waveform.numpy(), clip.identity)
        for label, clip in some_of_each(clips, kept, recipe.report.clips_per_class, recipe.seed)
    ]
    facts: dict[str, object] = {
        "dataset": recipe.type_name("dataset"),
        "classes": len(clips.classes),
        "training clips": "endless" if clips.size is None else clips.size,
        "format": f"{clips.sample_rate} Hz, {clips.channels} channel(s), {clips.length / clips.sample_rate:g} s",
        "network": f"{recipe.type_name('network')}, {record['train']['parameters'] / 1e6:.2f} M parameters",
        "training": f"{recipe.training.steps} steps of {recipe.training.batch_size} clips",
        "device": record["train"]["device"],
        "sigma_data": f"{record['train']['sigma_data']:.4f}",
    }
    sampling: dict[str, object] = {
        "solver": _spelled(manifest["solver"]),
        "schedule": _spelled(manifest["schedule"]),
        "guidance": _spelled(manifest["guidance"]) if manifest["guidance"] else "none",
        "steps": manifest["num_steps"],
        "evaluations": manifest["evaluations"],
        "network evaluations": manifest.get("network_evaluations", "not counted"),
        "seed": manifest["seed"],
        "clips": len(manifest["clips"]),
        "seconds a clip": manifest["seconds_per_clip"] or "made in an earlier try",
    }
    results = read_results(files.evaluation / "results.json", "evaluate", "metrics", "notes")
    found = read_results(files.audit / "audit.json", "audit", "clips", "statistics")
    notes = [f"evaluation: {note}" for note in notes_of(results)]
    notes += [f"audit: {note}" for note in found["statistics"]["notes"]]
    if clips.rejected:
        names = ", ".join(f"{r.identity} ({r.reason})" for r in clips.rejected[:10])
        notes.append(f"{len(clips.rejected)} files were left out of training: {names}")
    if manifest["silent_clips"]:
        notes.append(f"{manifest['silent_clips']} generated clips are silent (RMS below -60 dBFS)")
    if manifest["attenuated_clips"]:
        notes.append(f"{manifest['attenuated_clips']} generated clips peaked above full scale and were turned down")
    if len(shown) > len(kept):
        notes.append(f"{len(shown) - len(kept)} further classes are in samples/ and not shown (report.max_classes)")
    write_report(
        files.report,
        ReportData(
            name=recipe.name,
            sample_rate=clips.sample_rate,
            generated=generated,
            training=training,
            metrics=read_metrics(files.metrics),
            recipe_yaml=files.recipe.read_text(encoding="utf-8"),
            facts=facts,
            sampling=sampling,
            versions=versions(),
            tables=[*([report_table(results)] if results["metrics"] else []), *report_tables(found)],
            timings={stage: done["seconds"] for stage, done in record.items()},
            notes=notes,
        ),
    )
    return {}


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return manifest


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} cannot be read: {error}",
        expected="the samples as they were written",
        mend="make them again with --only sample --force, then the report",
    )


def _generated(context: RunContext, manifest: dict[str, Any], labels: list[str | None]) -> list[Sound]:
    sounds = []
    for label in labels:
        entries = [clip for clip in manifest["clips"] if clip["label"] == label]
        for entry in entries[: context.recipe.report.clips_per_class]:
            path = context.directory.samples / entry["file"]
            try:
                data, _ = soundfile.read(path, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _damaged(path, error) from error
            turned_down = f", {entry['gain_db']:.1f} dB" if entry["gain_db"] < 0 else ""
            sounds.append(Sound(label, data.T, entry["file"] + turned_down))
    return sounds


def _spelled(component: dict[str, Any] | list[dict[str, Any]]) -> str:
    if isinstance(component, list):
        return ", then ".join(map(_spelled, component))
    fields = ", ".join(f"{key} {value}" for key, value in component.items() if key != "type")
    return f"{component['type']} ({fields})" if fields else str(component["type"])
