"""Edits written: what `gen sample` writes, and beside it the original and a page to hear and see them together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile

from genaudio.core.progress import Progress
from genaudio.reports.data import ReportData, Sound
from genaudio.reports.page import write_report
from genaudio.runs.blocks import SAMPLER_KINDS
from genaudio.runs.editing.clip import Source
from genaudio.runs.model import Model
from genaudio.runs.samples import SampleRequest, write_clip, write_samples

PAGE = "index.html"
_FAULTS = {
    "silent_clips": "are silent (RMS below -60 dBFS)",
    "attenuated_clips": "peaked above full scale and were turned down as a whole",
}


def write_edits(model: Model, request: SampleRequest, source: Source, folder: Path, progress: Progress) -> None:
    """Do the edits that `request` asks for: clips, `manifest.json`, the original as the model heard it, and a page."""

    def complete(partial: Path, manifest: dict[str, Any]) -> None:
        name = f"original.{request.format}"
        manifest["original"] = {"file": name} | write_clip(partial / name, source.waveform, model.sample_rate, request)
        _write_page(model, manifest, source, partial)

    write_samples(model, request, folder, progress, complete)


def _write_page(model: Model, manifest: dict[str, Any], source: Source, folder: Path) -> None:
    label = manifest["clips"][0]["label"]
    edit = {key: value for key, value in manifest["edit"].items() if key != "clip"}
    sampling = {kind: (manifest[kind] or {"type": "none"})["type"] for kind in SAMPLER_KINDS}
    notes = [f"{manifest[key]} clips {what}" for key, what in _FAULTS.items() if manifest[key]]
    write_report(
        folder / PAGE,
        ReportData(
            name=source.path.name,
            sample_rate=model.sample_rate,
            generated=[
                Sound(label, soundfile.read(folder / clip["file"], dtype="float32", always_2d=True)[0].T, clip["file"])
                for clip in manifest["clips"]
            ],
            training=[Sound(label, source.waveform.numpy(), source.path.name)],
            training_title="Original",
            facts={"model": manifest["model"]["name"], "label": label, **edit},
            sampling={**sampling, **{key: manifest[key] for key in ("num_steps", "evaluations", "seed")}},
            notes=notes,
        ),
    )
