"""Checkpoints: everything that a run needs to go on as if it had never stopped.

A checkpoint is a folder `step-00001000/` with `weights.safetensors`, `ema.safetensors`, `optimizer.safetensors` and
`manifest.json`, which holds the step, the state of the log and a SHA-256 of every file. It is written beside its place
and renamed; one whose hashes do not fit is passed over. Randomness and data position are functions of (seed, step), so
the step is all there is to keep of them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genaudio.core.errors import RunError
from genaudio.core.files import atomic_folder, sha256, write_json

FORMAT = 1
_FILES = ("weights.safetensors", "ema.safetensors", "optimizer.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose hashes fit: where it is and what its manifest says."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def step(self) -> int:
        """Steps done when it was written."""
        return int(self.manifest["step"])


def save_checkpoint(
    root: Path,
    step: int,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    log: dict[str, Any],
    keep: int,
) -> Path:
    """Write the checkpoint of `step` below `root` and remove all but the `keep` newest."""
    folder = root / f"step-{step:08d}"
    with atomic_folder(folder) as partial:
        save_file(_contiguous(model.state_dict()), partial / "weights.safetensors")
        save_file(_contiguous(average.state_dict()), partial / "ema.safetensors")
        save_file(_contiguous(_flat(optimizer)), partial / "optimizer.safetensors")
        manifest = {"format": FORMAT, "step": step, "log": log}
        write_json(partial / "manifest.json", manifest | {"sha256": {f: sha256(partial / f) for f in _FILES}})
    for old in _folders(root)[:-keep]:
        shutil.rmtree(old)
    return folder


def newest_checkpoint(root: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a line about each newer one that is not."""
    damaged: list[str] = []
    for folder in reversed(_folders(root)):
        found = read_checkpoint(folder)
        if isinstance(found, Checkpoint):
            return found, damaged
        damaged.append(found)
    return None, damaged


def whole_checkpoints(root: Path) -> list[Checkpoint]:
    """The checkpoints that are whole, in the order of their steps."""
    found = [read_checkpoint(folder) for folder in _folders(root)]
    return [one for one in found if isinstance(one, Checkpoint)]


def checkpoint_at(root: Path, step: int) -> Checkpoint:
    """The checkpoint of `step`; raises `RunError` with the steps there are, or if it is damaged."""
    folders = {int(folder.name.removeprefix("step-")): folder for folder in _folders(root)}
    if step not in folders:
        raise RunError(
            f"{root} has no checkpoint of step {step}",
            expected=f"one of {', '.join(map(str, folders))}" if folders else "a run that has saved checkpoints",
            mend="training.checkpoint_every and training.keep_checkpoints decide which are kept",
        )
    found = read_checkpoint(folders[step])
    if not isinstance(found, Checkpoint):
        raise RunError(f"{root}: {found}", expected="a checkpoint as it was written", mend="take another step")
    return found


def write_average(folder: Path, step: int, average: nn.Module, **facts: Any) -> None:
    """Write averaged weights alone, with a manifest that holds `facts` too; replaces what stood in `folder`."""
    with atomic_folder(folder) as partial:
        file = partial / "ema.safetensors"
        save_file(_contiguous(average.state_dict()), file)
        write_json(
            partial / "manifest.json", {"format": FORMAT, "step": step, **facts, "sha256": {file.name: sha256(file)}}
        )


def read_checkpoint(folder: Path, files: Sequence[str] = _FILES) -> Checkpoint | str:
    """The checkpoint in `folder`, which holds `files`, or what is wrong with it."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        wrong = [file for file in files if sha256(folder / file) != manifest["sha256"][file]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{folder.name} is damaged ({type(error).__name__}: {error})"
    if manifest.get("format") != FORMAT:
        return f"{folder.name} has format {manifest.get('format')!r}, this version reads {FORMAT}"
    if wrong:
        return f"{folder.name} is damaged ({', '.join(wrong)} differ from the manifest's SHA-256)"
    return Checkpoint(folder, manifest)


def load_average(checkpoint: Checkpoint, model: nn.Module) -> None:
    """Put a checkpoint's averaged weights into `model`; raises `RunError` if they do not fit."""
    try:
        model.load_state_dict(load_file(checkpoint.folder / "ema.safetensors"))
    except RuntimeError as error:
        raise RunError(
            f"{checkpoint.folder} does not fit the model of this run: {error}",
            expected="weights of the network in model/model.json",
        ) from error


def restore(
    checkpoint: Checkpoint, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> None:
    """Put a checkpoint's weights, average and optimizer state in place; raises `RunError` if they do not fit."""
    try:
        model.load_state_dict(load_file(checkpoint.folder / "weights.safetensors", device=str(device)))
        average.load_state_dict(load_file(checkpoint.folder / "ema.safetensors", device=str(device)))
    except RuntimeError as error:
        raise RunError(
            f"{checkpoint.folder} does not fit the model of this recipe: {error}",
            expected="weights that the same recipe wrote",
            mend="use another run directory (--out), or start over with --force",
        ) from error
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {}
    for name, value in load_file(checkpoint.folder / "optimizer.safetensors").items():
        index, key = name.split(".", 1)
        if value.shape == parameters[int(index)].shape:
            # Fused optimisers walk parameter and state in memory order, so both must be laid out alike.
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        state["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(state)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("step-*") if path.name.removeprefix("step-").isdecimal())


def _flat(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": value for index, values in state.items() for key, value in values.items()}


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # A copy of each: safetensors refuses tensors that share memory or are not laid out in order (channels-last).
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
