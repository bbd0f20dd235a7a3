"""A trained model on disk, and in the hand of a user: `genaudio.load(folder).generate(8, label="rain")`.

A model folder holds `model.safetensors` (the averaged weights) and `model.json`: the components that sampling needs,
the classes, the audio format, the measured `sigma_data` and the weights' SHA-256. Nothing in it is executed.

Shapes: waveform (batch, channels, time), float32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import genaudio
from genaudio.core.component import Component
from genaudio.core.errors import RunError
from genaudio.core.files import atomic_folder, sha256, write_json
from genaudio.core.overrides import apply_overrides
from genaudio.core.registry import kind_base, suggestion
from genaudio.networks.base import Network
from genaudio.networks.conditioners.base import DROPPED, Conditioner
from genaudio.preconditioners.base import Preconditioner
from genaudio.representations.base import Representation
from genaudio.runs.course import GENERATION, Course
from genaudio.runs.editing import inpainting, inversion, variation
from genaudio.runs.sampling import TILE, Generator, SamplingPlan, check_whole
from genaudio.samplers.base import Solver
from genaudio.samplers.guidance.base import Guidance
from genaudio.samplers.schedules.base import Schedule
from genaudio.training.device import resolve_device
from genaudio.training.model import DiffusionModel, build_model

FORMAT = 1
SAMPLER_KINDS = ("schedule", "solver", "guidance")
KINDS = ("representation", "network", "conditioner", "preconditioner", *SAMPLER_KINDS)


@dataclass(frozen=True)
class AudioFormat:
    """What a model generates: rate in Hz, channel count, length in samples."""

    sample_rate: int
    channels: int
    length: int


@dataclass(frozen=True)
class Model:
    """A trained model: call `generate`."""

    weights: DiffusionModel
    components: Mapping[str, Component | None]
    classes: tuple[str, ...]
    audio: AudioFormat
    device: torch.device
    card: Mapping[str, Any]

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
        guidance: Guidance | str | Mapping[str, Any] | None = None,
        nfe: int | None = None,
        num_steps: int | None = None,
    ) -> SamplingPlan:
        """How to sample: the recipe's components, or others by instance, name or `{"type": …}` mapping."""
        given = {"solver": solver, "schedule": schedule, "guidance": guidance}
        return self.plan_of({kind: self._component(kind, value) for kind, value in given.items()}, nfe, num_steps)

    def plan_of(
        self, sampler: Mapping[str, Component | None], nfe: int | None = None, num_steps: int | None = None
    ) -> SamplingPlan:
        """How to sample with exactly these components (None: no guidance), and the recipe's budget if none is given."""
        if nfe is None and num_steps is None:
            nfe, num_steps = self.card["budget"].get("nfe"), self.card["budget"].get("num_steps")
        return SamplingPlan.of(
            cast(Solver, sampler["solver"]),
            cast(Schedule, sampler["schedule"]),
            cast("Guidance | None", sampler["guidance"]),
            sigma_data=self.sigma_data,
            nfe=nfe,
            num_steps=num_steps,
        )

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
    ) -> Iterator[Tensor]:
        """The clips of items `indices`, with a label each, in batches `(<= batch_size, channels, time)`."""
        check_whole(seed=(seed, 0), batch_size=(batch_size, 1))
        if len(indices) != len(labels):
            raise RunError(
                f"{len(indices)} indices and {len(labels)} labels", expected="a label, or None, for each index"
            )
        numbers = [self.label_number(label) for label in labels]
        known = [number for number in numbers if number is not None]
        tiles = self.generator().generate(plan, seed, indices, known or None, course=course, on_step=on_step)
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
            self.representation.shape(self.audio.length, self.audio.channels),
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

    def _component(self, kind: str, value: Component | str | Mapping[str, Any] | None) -> Component | None:
        if value is None:
            return self.components[kind]
        if isinstance(value, kind_base(kind)):
            return value
        given = {"type": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping) or "type" not in given:
            raise RunError(
                f"{kind} is {value!r}", expected=f"a {kind_base(kind).__name__}, a name, or a mapping with 'type'"
            )
        return genaudio.create(kind, **given)


def describe(kind: str, component: Component | None) -> dict[str, Any] | None:
    """A component as a recipe writes it: its type and every field."""
    if component is None:
        return None
    from genaudio.plugins.manager import registry

    return {"type": registry().name_of(kind, component), **component.model_dump(mode="json")}


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
                mend="copy the model folder again, as a whole; in a run directory, remove model/ and give "
                "`gen run` again, which exports it from the last checkpoint",
            )
        components = {
            kind: genaudio.create(kind, **card["components"][kind]) if card["components"][kind] else None
            for kind in KINDS
        }
        audio = AudioFormat(**card["audio"])
        classes = tuple(card["classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / 'model.json'} is not a model card: {type(error).__name__}: {error}") from error
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
        raise RunError(f"{weights_file} does not fit the network in model.json: {error}") from error
    where = resolve_device(device)
    kept = {key: card[key] for key in ("budget", "precision", "step", "name", "sha256")}
    return Model(weights.to(where).eval(), components, classes, audio, where, kept)


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


def pack(components: Mapping[str, Component | None]) -> dict[str, Component | None]:
    """The components that a model keeps, in the order of its card."""
    return {kind: components[kind] for kind in KINDS}


def sampler_overrides(model: Model, texts: Sequence[str]) -> dict[str, Component | None]:
    """`solver=heun`, `guidance.scale=3` and the like, applied to what the model would sample with.

    Raises `GenaudioError` for anything that is not of the solver, the schedule or the guidance.
    """
    described = {kind: describe(kind, model.components[kind]) for kind in SAMPLER_KINDS}
    changed = apply_overrides(described, texts, dict.fromkeys(SAMPLER_KINDS))
    if changed.problems:
        raise RunError.of(changed.problems)
    for kind in changed.data:
        if kind not in SAMPLER_KINDS:
            raise RunError(
                f"--set {kind}",
                expected=f"a value of {', '.join(SAMPLER_KINDS)}: the rest of a trained model cannot change",
                mend=suggestion(kind, SAMPLER_KINDS),
            )
    for kind in ("solver", "schedule"):
        if changed.data[kind] is None:
            raise RunError(f"--set {kind}=null", expected=f"a {kind}: only guidance can be null")
    return {
        kind: None if block is None else genaudio.create(kind, **({"type": block} if isinstance(block, str) else block))
        for kind, block in changed.data.items()
    }
