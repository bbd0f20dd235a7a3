"""Noise on disk: one safetensors file, `noise` (count, features, freq, time), and how it was made as its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genaudio.core.create import create
from genaudio.core.errors import RunError
from genaudio.core.files import atomic_file, sha256
from genaudio.core.progress import Progress
from genaudio.runs.blocks import SAMPLER_KINDS, describe
from genaudio.runs.course import Course
from genaudio.runs.editing.clip import Source
from genaudio.runs.editing.inversion import FromNoise, Inversion, checked_noise, encoded_clip
from genaudio.runs.model import Model
from genaudio.runs.outputs import check_place
from genaudio.runs.sampling import SamplingPlan

_KEY = "genaudio"


def write_noise(path: Path | str, noise: Tensor, facts: Mapping[str, Any]) -> None:
    """Write noise `(count, features, freq, time)`; `facts`, plain data, say how it was made. Overwrites nothing."""
    path = Path(path)
    check_new(path)
    with atomic_file(path) as partial:
        save_file({"noise": noise.contiguous()}, partial, {_KEY: json.dumps(dict(facts), allow_nan=False)})


def read_noise(path: Path) -> tuple[Tensor, dict[str, Any]]:
    """The noise in a file, and how it was made; raises `RunError` for another file."""
    expected = "a file that `gen invert` wrote, with a tensor named noise"
    if not path.is_file():
        raise RunError(f"{path} is {'a folder' if path.is_dir() else 'not there'}", expected=expected)
    try:
        with safe_open(path, framework="pt") as file:
            noise: Tensor = file.get_tensor("noise")
            facts = json.loads((file.metadata() or {}).get(_KEY, "{}"))
        if not isinstance(facts, dict):
            raise ValueError(f"its metadata say {facts!r}")
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path} holds no noise: {error}", expected=expected) from None
    return noise, facts


def check_new(path: Path) -> None:
    """Raise `RunError` if something is there, or nothing could be written there."""
    if path.exists():
        raise RunError(f"{path} exists", expected="a path where nothing is", mend="choose another with --out")
    check_place(path)


@dataclass(frozen=True)
class NoiseSource:
    """The noise in a file, and what the file says of how it was made."""

    path: Path
    noise: Tensor  # (count, features, freq, time)
    made: dict[str, Any]

    @classmethod
    def of(cls, model: Model, path: Path) -> NoiseSource:
        """What is in a file; raises `RunError` if it is no noise of this model's shape."""
        noise, made = read_noise(path)
        return cls(path, checked_noise(model, noise), made)

    def course(self, first_index: int) -> FromNoise:
        """The generation from it."""
        return FromNoise(self.noise, first_index)

    @property
    def facts(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"kind": "noise", "file": self.path.name, "sha256": sha256(self.path), "made": self.made}

    @property
    def label(self) -> str | None:
        """The label of the inversion, if there was one."""
        return self.made.get("label")

    @property
    def num_steps(self) -> int | None:
        """The steps of the inversion, as a generation counts them."""
        return self.made.get("num_steps")

    def sampler_of(self, model: Model) -> Model:
        """The model with the sampler of the inversion, as far as the file names it."""
        named = {kind: self.made[kind] for kind in SAMPLER_KINDS if kind in self.made}
        chosen = {kind: create(kind, **block) if isinstance(block, dict) else None for kind, block in named.items()}
        return replace(model, components={**model.components, **chosen})


def write_inversion(
    model: Model, plan: SamplingPlan, source: Source, label: str | None, path: Path, progress: Progress
) -> dict[str, Any]:
    """Invert a clip into a noise file, go the way back once to see how near it comes, and return what the file says."""
    check_new(path)
    progress.start("invert", 2, unit="ways")

    def go(course: Course, before: int) -> Tensor:
        (end,) = model.stream(plan, [0], [label], course=course, on_step=lambda done: progress.update(before + done))
        return end

    course = Inversion(encoded_clip(model, source.waveform), model.preconditioner.sigma_min)
    budget = model.generator().budget(plan, course)
    noise = go(course, 0)
    error = go(FromNoise(noise), 1)[0] - source.waveform
    progress.finish()
    facts = {
        "model": {key: model.card[key] for key in ("name", "step", "sha256")},
        "clip": source.facts(),
        "label": label,
        "solver": describe("solver", plan.solver),
        "schedule": describe("schedule", plan.schedule),
        "guidance": describe("guidance", plan.guidance),
        "num_steps": plan.num_steps,
        "evaluations": budget.evaluations,
        "noise_std": round(float(noise.std()), 4),
        "round_trip_db": round(_decibels(source.waveform, error), 1),
    }
    write_noise(path, noise, facts)
    return facts


def _decibels(signal: Tensor, error: Tensor) -> float:
    """Power of the signal over power of the error, in dB; at most 200."""
    floor = signal.square().sum() * 1e-20
    return float(10 * torch.log10(signal.square().sum() / torch.maximum(error.square().sum(), floor)))
