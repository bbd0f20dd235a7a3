"""Checkpoints in Hugging Face's format, a folder or a repository of the hub: loaded whole, or refused with a reason.

No code of a checkpoint is ever run: the model class is named by the caller, weights are safetensors, or a
`pytorch_model.bin` that is read with `weights_only`.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.files import expanded, sha256
from genaudio.evaluation.embeddings.inference import exact

# What a checkpoint keeps its weights in, in the order in which they are looked for.
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# What else of a folder is read where it is there: settings, how audio is prepared, which file holds which weight, and
# the adapter that transformers lays over a model if the package peft is installed.
_SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter_model.bin",
)
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def transformers() -> Any:
    """The package transformers, imported when first needed; raises `GenaudioError` where it is not installed."""
    try:
        import transformers as package
    except ImportError as error:
        raise GenaudioError(
            f"the package transformers cannot be imported: {error}",
            expected="transformers, which computes this embedding",
            mend="pip install 'genaudio[pretrained]'",
        ) from error
    return package


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, advice or warnings of transformers inside; its settings are put back afterwards."""
    logging = transformers().utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `config.json` and weights for a model class of transformers; `files` hold the weights."""

    folder: Path
    files: tuple[Path, ...]
    model_class: str

    @cached_property
    def sha256(self) -> str:
        """Of the weights' file; of several files the SHA-256 of theirs, one a line in order of the names."""
        hashes = [sha256(path) for path in self.files]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()

    def config_sha256(self, *more: str) -> str:
        """Of what is read beside the weights: a line with hash and name for each such file, `more` among them.

        Only files that are there count.
        """
        found = [name for name in (*_SETTINGS, *more) if (self.folder / name).is_file()]
        lines = "\n".join(f"{sha256(self.folder / name)} {name}" for name in found)
        return hashlib.sha256(lines.encode()).hexdigest()

    @cached_property
    def config(self) -> Any:
        """What `config.json` says, completed by the defaults of its class."""
        config_class = getattr(transformers(), self.model_class).config_class
        with quiet():
            try:
                return config_class.from_pretrained(str(self.folder), local_files_only=True)
            except Exception as error:  # each class has checks of its own
                raise GenaudioError(
                    f"{self.folder / 'config.json'}: {first_line(error)}", expected=f"settings of {self.model_class}"
                ) from error

    @cached_property
    def preprocessing(self) -> Mapping[str, Any] | None:
        """How audio is to be prepared, from `preprocessor_config.json` or `processor_config.json`; None: not said."""
        if (path := self.folder / "preprocessor_config.json").is_file():
            return _read_json(path)
        if (path := self.folder / "processor_config.json").is_file():
            settings = _read_json(path).get("feature_extractor")
            return settings if isinstance(settings, dict) else None
        return None

    def load(self, *, optional: tuple[str, ...] = ()) -> nn.Module:
        """The model, in float32 and evaluation mode.

        transformers fills what a file lacks with random numbers; here that is an error, but for weights whose name ends
        with one of `optional`, which have no part in the features.
        """
        package = transformers()
        with quiet():
            try:
                model, report = getattr(package, self.model_class).from_pretrained(
                    str(self.folder),
                    local_files_only=True,
                    use_safetensors=self.files[0].suffix == ".safetensors",
                    weights_only=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
            except Exception as error:  # a broken file breaks transformers, safetensors and torch in many ways
                raise GenaudioError(
                    f"{self.folder} cannot be loaded: {first_line(error)}",
                    expected=f"a whole checkpoint for {self.model_class}",
                    mend="fetch the checkpoint again",
                ) from error
        missing = sorted(name for name in report["missing_keys"] if not name.endswith(optional or ("\0",)))
        if missing:
            raise GenaudioError(
                f"{self.folder} lacks {len(missing)} weights of {self.model_class}, {missing[0]} for one",
                expected="a whole checkpoint",
                mend="use the checkpoint of a trained model, with all its parts",
            )
        loaded: nn.Module = model.eval().requires_grad_(False)
        return loaded


def find_checkpoint(weights: str, revision: str | None, model_type: str, model_class: str) -> Checkpoint:
    """The checkpoint in the folder `weights`, or in the hub's repository of this name at `revision`.

    Its config must be of `model_type`: weights of a relative often fit, and mean nothing there.
    """
    folder = find_folder(weights, revision)
    name = next((name for name in _WEIGHTS if (folder / name).is_file()), None)
    if name is None or not (folder / "config.json").is_file():
        raise GenaudioError(
            f"{folder} has no {'config.json' if name else 'weights'}",
            expected=f"config.json and {_WEIGHTS[0]}, as `save_pretrained` writes them",
            mend="give the folder of a whole checkpoint",
        )
    names = sorted(set(_read_json(folder / name)["weight_map"].values())) if name.endswith(".json") else [name]
    if absent := next((name for name in names if not (folder / name).is_file()), None):
        raise GenaudioError(f"{folder} lacks {absent}", expected="all files that its index names")
    found = _read_json(folder / "config.json").get("model_type")
    if found != model_type:
        raise GenaudioError(f"{folder} holds a model of the type {found!r}", expected=f"model_type {model_type!r}")
    return Checkpoint(folder, tuple(folder / name for name in names), model_class)


def find_folder(weights: str, revision: str | None, *, with_weights: bool = True) -> Path:
    """The folder `weights`, or that of the hub's repository of this name, downloaded if the cache lacks it."""
    path = expanded(weights)
    if path.is_dir():
        return path
    if path.exists() or not _HUB_NAME.fullmatch(weights):
        raise GenaudioError(
            f"weights {weights!r}: {'a file' if path.exists() else 'not there'}",
            expected="the folder of a checkpoint, or the name of a repository on the Hugging Face hub (owner/name)",
        )
    return _downloaded(weights, revision, with_weights)


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its name if it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def in_parts(compute: Callable[[Tensor], Tensor], items: Tensor, size: int) -> Tensor:
    """`compute` of `items`, `size` of them at a time so that memory is bounded; float64 on the CPU."""
    step = max(1, size)
    with exact(items.device):
        return torch.cat([compute(items[start : start + step]).double().cpu() for start in range(0, len(items), step)])


def _downloaded(name: str, revision: str | None, with_weights: bool) -> Path:
    transformers()  # the hub's client comes with it, and so does the error where both are missing
    try:
        wanted = ["*.json", "*.txt", *(["model*.safetensors"] if with_weights else [])]
        folder = _snapshot(name, revision, wanted)
        if with_weights and not any(folder.glob("model*.safetensors")):
            _snapshot(name, folder.name, ["pytorch_model*.bin"])
    except Exception as error:  # of the hub, the network, or the disk
        raise GenaudioError(
            f"{name!r} is no folder here, and cannot be had from the Hugging Face hub: {first_line(error)}",
            expected="a folder, a repository in the hub's cache, or one that can be downloaded now",
            mend="check the name and the network, or copy the checkpoint here and give its folder",
        ) from error
    return folder


def _snapshot(name: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception:  # some versions of the client ask the network even for a commit that the cache holds
        with suppress(Exception):
            return Path(snapshot_download(name, revision=revision, allow_patterns=patterns, local_files_only=True))
        raise


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise GenaudioError(f"{path} cannot be read: {error}", expected="a JSON object") from error
    return value
