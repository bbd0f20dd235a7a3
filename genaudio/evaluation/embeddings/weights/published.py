"""Files of weights that others trained: found or downloaded, and read without running anything that is in them.

A file is safetensors, or what `torch.save` wrote, in either of its formats.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.files import expanded, sha256
from genaudio.core.wording import listed

_MOST_NAMES = 4


class _Ignored:
    """Stands for what a checkpoint holds beside tensors, so that nothing of numpy's is built from a stranger's file."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


_NUMPY = [
    (_Ignored, name)
    for name in (
        "numpy.ndarray",
        "numpy.dtype",
        *(f"{core}.multiarray.{name}" for core in ("numpy.core", "numpy._core") for name in ("_reconstruct", "scalar")),
    )
]


@dataclass(frozen=True)
class PublishedWeights:
    """Where weights were published, and how the SHA-256 of the file begins, where that is known."""

    url: str
    sha256_prefix: str = ""

    @property
    def file_name(self) -> str:
        """The name of the file."""
        return unquote(self.url.rsplit("/", 1)[-1])

    def file(self) -> Path:
        """The file in torch hub's folder of checkpoints, downloaded if it is not there; raises `GenaudioError`."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / self.file_name
        mend = f"download {self.url} where there is a network, and give the file's path as `weights`"
        if not path.is_file():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(self.url, str(path), hash_prefix=self.sha256_prefix or None)
            except (URLError, OSError, RuntimeError) as error:
                raise GenaudioError(
                    f"{self.file_name} cannot be downloaded: {error}", expected=f"the file at {path}", mend=mend
                ) from error
        elif not sha256(path).startswith(self.sha256_prefix):
            raise GenaudioError(
                f"{path} has the SHA-256 {sha256(path)[:12]}…",
                expected=f"one that begins with {self.sha256_prefix}",
                mend=f"delete the file; it is downloaded again from {self.url}",
            )
        return path


def weights_file(given: str | None, published: PublishedWeights) -> Path:
    """The file that a component's `weights` names; none named: the published one."""
    if given is None:
        return published.file()
    path = expanded(given)
    if not path.is_file():
        raise GenaudioError(
            f"no weights file {path}", expected="a .safetensors or .pth file", mend=f"download {published.url}"
        )
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name; of a training checkpoint the ones below `model`. Raises `GenaudioError`."""
    try:
        loaded: Any = load_file(path) if path.suffix == ".safetensors" else unpickled(path)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to run what is in the file
            reason = "it is no file of torch.save, or holds more than tensors"
        raise GenaudioError(
            f"{path} cannot be read as weights: {reason}",
            expected="safetensors, or a file of torch.save with tensors by name",
            mend="download it again, or save its state_dict() alone, as safetensors",
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("model"), Mapping):
        loaded = loaded["model"]
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise GenaudioError(f"{path} holds no tensors by name", expected="a state_dict, alone or below `model`")
    return {str(name): value for name, value in loaded.items()}


def unpickled(path: Path) -> Any:
    """What `torch.save` wrote: tensors and plain containers; numpy's numbers are passed over, all else is refused."""
    with torch.serialization.safe_globals(list(_NUMPY)):
        return torch.load(path, map_location="cpu", weights_only=True)


def fill(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Give a network, which may be on the meta device, these weights in float32; all must fit, by name and shape.

    `source` is named in errors. What batch normalisation counts its training batches with may be missing.
    """
    wanted = network.state_dict()
    given = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    counters = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in given and name not in counters]
    extra = [name for name in given if name not in wanted]
    other = [
        f"{name} {tuple(value.shape)} for {tuple(wanted[name].shape)}"
        for name, value in given.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    problems = [
        f"{what} {listed(names, _MOST_NAMES)}"
        for what, names in (("lacks", missing), ("has too much:", extra), ("has other shapes:", other))
        if names
    ]
    if problems:
        raise GenaudioError(
            f"{source} {'; '.join(problems)}",
            expected=f"the {len(wanted) - len(counters)} tensors of {type(network).__name__}",
            mend="give the weights of this very network",
        )
    network.load_state_dict({**{name: given[name].float() for name in given}, **counters}, assign=True)
    network.requires_grad_(False).eval()
