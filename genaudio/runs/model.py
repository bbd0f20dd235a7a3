"""A trained model on disk, and in the hand of a user: `genaudio.load(folder).generate(8, label="rain")`.

A model folder holds `model.safetensors` (the averaged weights) and `model.json`: the components that sampling needs,
the classes, the audio format, the measured `sigma_data` and the weights' SHA-256. It may hold `schedules.json` too, the
grids that `gen tune-schedule` found for the model. Nothing in it is executed.

Shapes: waveform (batch, channels, time), float32.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import genaudio
from genaudio.core.errors import RunError
from genaudio.core.files import atomic_folder, sha256, write_json
from genaudio.core.registry import suggestion
from genaudio.networks.base import Network
from genaudio.networks.conditioners.base import DROPPED, Conditioner
from genaudio.preconditioners.base import Preconditioner
from genaudio.representations.base import Representation
from genaudio.runs.blocks import SAMPLER_KINDS, Block, build_block, describe
from genaudio.runs.course import GENERATION, Course
from genaudio.runs.editing import inpainting, inversion, variation
from genaudio.runs.guidance import GuidanceBlock, check_guidance, check_memories, check_weak_model, weak_paths
from genaudio.runs.sampling import TILE, Cost, Generator, SamplingPlan, check_whole
from genaudio.runs.tuned import schedule_of_model
from genaudio.samplers.base import Solver
from genaudio.samplers.guidance.base import Guidance
from genaudio.samplers.schedules.base import Schedule
from genaudio.samplers.schedules.tuned_file import FILE_NAME as TUNED_GRIDS
from genaudio.training.checkpoint import checkpoint_at, load_average
from genaudio.training.device import resolve_device
from genaudio.training.model import DiffusionModel, build_model

FORMAT = 1
KINDS = ("representation", "network", "conditioner", "preconditioner", *SAMPLER_KINDS)
_AGAIN = (
    "copy the model folder again, as a whole; in a run directory, remove model/ and give `gen run` again, which "
    "exports it from the last checkpoint"
)


@dataclass(frozen=True)
class AudioFormat:
    """What a model generates: rate in Hz, channel count, length in samples."""

    sample_rate: int
    channels: int
    length: int


@dataclass(frozen=True)
class Model:
    """A trained model: call `generate`. `folder` is the model folder that it is from; None for one in memory."""

    weights: DiffusionModel
    components: Mapping[str, Block]
    classes: tuple[str, ...]
    audio: AudioFormat
    device: torch.device
    card: Mapping[str, Any]
    folder: Path | None = None

    @property
    def sample_rate(self) -> int:
        """Rate of the generated clips in Hz."""
        return self.audio.sample_rate

    @property
    def sigma_data(self) -> float:
        """Standard deviation of the encoded training data."""
        return float(self.preconditioner.sigma_data)

    @property
    def representation(self) -> Representation:
        """What the model sees of a waveform."""
        return cast(Representation, self.components["representation"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an encoded clip: channels, frequencies, frames."""
        return self.representation.shape(self.audio.length, self.audio.channels)

    @property
    def preconditioner(self) -> Preconditioner:
        """What makes a denoiser of the network; it has the range of noise levels."""
        return cast(Preconditioner, self.components["preconditioner"])

    @property
    def tile(self) -> int:
        """Clips that one call of the network sees on this device."""
        return TILE.get(self.device.type, 1)

    @property
    def conditional(self) -> bool:
        """Whether the model takes labels."""
        return self.weights.conditioner is not None

    def plan(
        self,
        *,
        solver: Solver | str | Mapping[str, Any] | None = None,
        schedule: Schedule | str | Mapping[str, Any] | None = None,
        guidance: Guidance | str | Mapping[str, Any] | Sequence[Any] | None = None,
        nfe: int | None = None,
        num_steps: int | None = None,
    ) -> SamplingPlan:
        """How to sample: the recipe's components, or others by instance, name or `{"type": …}` mapping.

        `guidance` may be a list of those; an empty one is no guidance.
        """
        given = {"solver": solver, "schedule": schedule, "guidance": guidance}
        sampler = {
            kind: self.components[kind] if value is None else build_block(kind, value) for kind, value in given.items()
        }
        return self.plan_of(sampler, nfe, num_steps)

    def plan_of(
        self, sampler: Mapping[str, Block], nfe: int | None = None, num_steps: int | None = None
    ) -> SamplingPlan:
        """How to sample with exactly these components (None: no guidance), and the recipe's budget if none is given.

        Loads the weak models that guidance names.
        """
        if nfe is None and num_steps is None:
            nfe, num_steps = self.card["budget"].get("nfe"), self.card["budget"].get("num_steps")
        guidance = cast("GuidanceBlock", sampler["guidance"])
        check_guidance(guidance, cast("Conditioner | None", self.components["conditioner"]))
        check_memories(guidance, self.representation, self.audio)
        solver = cast(Solver, sampler["solver"])
        return SamplingPlan.of(
            solver,
            self.own_schedule(cast(Schedule, sampler["schedule"]), solver),
            guidance,
            sigma_data=self.sigma_data,
            dimensions=math.prod(self.shape),
            nfe=nfe,
            num_steps=num_steps,
            weak=self.weak_models(guidance),
        )

    def own_schedule(self, schedule: Schedule, solver: Solver) -> Schedule:
        """`schedule`, a `tuned` one with the grids of this model; raises `RunError` where it has none."""
        return schedule_of_model(schedule, solver, self.folder, self.card.get("sha256", ""))

    def generate(
        self,
        count: int,
        label: str | None = None,
        seed: int = 0,
        *,
        first_index: int = 0,
        batch_size: int = 16,
        course: Course = GENERATION,
        on_step: Callable[[float], None] | None = None,
        **sampler: Any,
    ) -> tuple[Tensor, int]:
        """`count` clips `(count, channels, time)` and their sample rate in Hz.

        `label` is one of `classes`; without one, a conditional model is sampled without condition. Equal arguments give
        equal bytes on one machine, and item i, counted from `first_index`, does not depend on `count` or `batch_size`.
        `sampler` takes what `plan` takes: `solver`, `schedule`, `guidance`, `nfe` or `num_steps`. `course` is what else
        than plain generation to do (`runs/editing/`). `on_step` is called with the number of clips done, in fractions.
        """
        check_whole(count=(count, 1), seed=(seed, 0), first_index=(first_index, 0), batch_size=(batch_size, 1))
        indices, labels = range(first_index, first_index + count), [label] * count
        plan = self.plan(**sampler)
        batches = list(self.stream(plan, indices, labels, seed, batch_size=batch_size, course=course, on_step=on_step))
        return torch.cat(batches), self.sample_rate

    # Functions of a model, each described where it is written.
    invert, decode_noise = inversion.invert, inversion.decode_noise
    vary, inpaint = variation.vary, inpainting.inpaint

    def stream(
        self,
        plan: SamplingPlan,
        indices: Sequence[int],
        labels: Sequence[str | None],
        seed: int = 0,
        *,
        batch_size: int = 16,
        course: Course = GENERATION,
        on_step: Callable[[float], None] | None = None,
        on_cost: Callable[[Cost], None] | None = None,
    ) -> Iterator[Tensor]:
        """The clips of items `indices`, with a label each, in batches `(<= batch_size, channels, time)`.

        `on_cost` is told what each clip has cost, in order, before the batch that it is in.
        """
        check_whole(seed=(seed, 0), batch_size=(batch_size, 1))
        if len(indices) != len(labels):
            raise RunError(
                f"{len(indices)} indices and {len(labels)} labels", expected="a label, or None, for each index"
            )
        numbers = [self.label_number(label) for label in labels]
        for weak in plan.weak.values():
            for label in dict.fromkeys(labels):
                weak.label_number(label)  # which may not know what the model itself knows, as clips without a label
        known = [number for number in numbers if number is not None]
        tiles = self.generator().generate(
            plan, seed, indices, known or None, course=course, on_step=on_step, on_cost=on_cost
        )
        yield from _regroup(tiles, batch_size)

    def label_number(self, label: str | None) -> int | None:
        """The number of a class: None for an unconditional model, -1 for "any" of a conditional one."""
        if label is None:
            if not self.conditional:
                return None
            conditioner = cast(Conditioner, self.components["conditioner"])
            if conditioner.dropout == 0:
                raise RunError(
                    "no label is given, and the model was trained with conditioner.dropout 0",
                    expected=f"a label: {', '.join(self.classes)}",
                )
            return DROPPED
        if not self.conditional:
            raise RunError(f"label {label!r}", expected="no label: the model was trained without classes")
        if label not in self.classes:
            raise RunError(
                f"label {label!r}",
                expected=f"one of {', '.join(self.classes)}",
                mend=suggestion(str(label), self.classes),
            )
        return self.classes.index(label)

    def generator(self) -> Generator:
        """What does the work of `generate`."""
        return Generator(
            self.weights,
            self.preconditioner,
            self.representation,
            self.shape,
            self.audio.length,
            self.device,
            self.card["precision"],
        )

    def save(self, folder: Path) -> None:
        """Write the model folder, whole or not at all."""
        with atomic_folder(folder) as partial:
            state = {k: v.detach().cpu().contiguous().clone() for k, v in self.weights.state_dict().items()}
            save_file(state, partial / "model.safetensors")
            described = {kind: describe(kind, component) for kind, component in self.components.items()}
            card = {
                "format": FORMAT,
                "genaudio": genaudio.__version__,
                "components": described,
                "classes": list(self.classes),
                "audio": vars(self.audio),
                **self.card,
                "sha256": sha256(partial / "model.safetensors"),
            }
            write_json(partial / "model.json", card)
            if self.folder is not None and (self.folder / TUNED_GRIDS).exists():
                shutil.copyfile(self.folder / TUNED_GRIDS, partial / TUNED_GRIDS)

    def weak_models(self, guidance: GuidanceBlock) -> dict[str, Model]:
        """The weak models of guidance by their paths, loaded; raises `RunError` for one that does not fit."""
        representation = cast(Representation, self.components["representation"])
        found = {path: load_weak(path, str(self.device)) for path in weak_paths(guidance)}
        for path, weak in found.items():
            check_weak_model(path, weak, representation, self.audio, self.classes, conditional=self.conditional)
        return found


def load_weak(path: str, device: str) -> Model:
    """The weak model of guidance at `path`; raises `RunError` that says whose model is not there."""
    try:
        return load(path, device)
    except RunError as error:
        problem = error.problems[0]
        raise RunError(
            f"the weak model of guidance: {problem.given}",
            expected=problem.expected,
            mend=f"{problem.mend}, or set another path; a relative one counts from the current directory",
        ) from error


def load(path: str | Path, device: str = "auto") -> Model:
    """The model in a run directory or an exported folder; raises `RunError` for anything else or a damaged one."""
    folder = Path(path)
    if not (folder / "model.json").exists():
        folder = folder / "model"
    if not (folder / "model.json").exists():
        unfinished = (Path(path) / "checkpoints").is_dir()
        raise RunError(
            f"{path} holds no model",
            expected="a run directory whose training has ended, or an exported model folder (model.json)",
            mend=f"finish it with `gen run {path}/recipe.yaml --out {path}`" if unfinished else "check the path",
        )
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise RunError(f"{folder} has model format {card['format']!r}", expected=f"format {FORMAT}")
        weights_file = folder / "model.safetensors"
        if not weights_file.exists() or sha256(weights_file) != card["sha256"]:
            raise RunError(
                f"{weights_file} is missing or differs from the SHA-256 in model.json",
                expected="the weights that the model was exported with",
                mend=_AGAIN,
            )
        components = {kind: build_block(kind, card["components"][kind] or None) for kind in KINDS}
        audio = AudioFormat(**card["audio"])
        classes = tuple(card["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder / 'model.json'} is not a model card: {type(error).__name__}: {error}",
            expected="the file as it was exported",
            mend=_AGAIN,
        ) from error
    weights = build_model(
        cast(Network, components["network"]),
        cast("Conditioner | None", components["conditioner"]),
        cast(Representation, components["representation"]).shape(audio.length, audio.channels),
        len(classes),
        seed=0,
    )
    try:
        weights.load_state_dict(load_file(weights_file))
    except RuntimeError as error:
        what = "; ".join(line.strip() for line in str(error).splitlines()[:2])
        raise RunError(
            f"{weights_file} does not fit the network in model.json: {what}",
            expected="weights and model.json of one export",
            mend=_AGAIN,
        ) from error
    where = resolve_device(device)
    kept = {key: card[key] for key in ("budget", "precision", "step", "name", "sha256")}
    return Model(weights.to(where).eval(), components, classes, audio, where, kept, folder)


def load_checkpoint(run: Path, step: int) -> Model:
    """The model of a run directory as it was after `step`, on the CPU: the averaged weights of that checkpoint."""
    model = load(run, device="cpu")
    checkpoint = checkpoint_at(run / "checkpoints", step)
    load_average(checkpoint, model.weights)
    return replace(model, card={**model.card, "step": step, "sha256": checkpoint.manifest["sha256"]["ema.safetensors"]})


def _regroup(tiles: Iterator[Tensor], batch_size: int) -> Iterator[Tensor]:
    """The same rows in batches of `batch_size`."""
    waiting: list[Tensor] = []
    for tile in tiles:
        waiting.extend(tile)
        while len(waiting) >= batch_size:
            yield torch.stack(waiting[:batch_size])
            waiting = waiting[batch_size:]
    if waiting:
        yield torch.stack(waiting)


def pack(components: Mapping[str, Block]) -> dict[str, Block]:
    """The components that a model keeps, in the order of its card."""
    return {kind: components[kind] for kind in KINDS}
