"""The file of training items that guidance leads away from.

Shapes: items (items, ...), each with mean 0 and mean square 1, float16 or float32, where ... is the shape of x.

The file is safetensors: one tensor `items`, and metadata of text that says what they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.core.files import atomic_file

FORMAT = 1


def write_items(path: Path, items: Tensor, facts: Mapping[str, Any]) -> None:
    """Write items and what they are, whole or not at all."""
    with atomic_file(path) as partial:
        save_file({"items": items.contiguous()}, partial, {"format": str(FORMAT), "facts": json.dumps(dict(facts))})


def read_facts(path: str) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The shape of the items, and what they are, without reading them; raises `GenaudioError`."""
    try:
        with safe_open(path, "pt") as file:
            found: dict[str, str] = file.metadata() or {}
            shape = tuple(file.get_slice("items").get_shape())
            version, facts = found["format"], json.loads(found["facts"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise GenaudioError(
            f"the memory {path} cannot be read: {error}",
            expected="a file of training items",
            mend="write it with `gen write-memory`; a relative path counts from the current directory",
        ) from error
    if version != str(FORMAT):
        raise GenaudioError(f"the memory {path} has the format {version}", expected=str(FORMAT), mend="write it again")
    return shape, facts


def read_items(path: str, device: torch.device) -> Tensor:
    """`(items, ...)` on the device; what was read last is kept until the file changes. Raises `GenaudioError`."""
    try:
        state = Path(path).stat()
    except OSError:
        read_facts(path)  # which says what is wrong
        raise
    return _items(path, state.st_mtime_ns, state.st_size, str(device))


@lru_cache(maxsize=1)
def _items(path: str, changed: int, size: int, device: str) -> Tensor:
    read_facts(path)
    with safe_open(path, "pt") as file:
        items: Tensor = file.get_tensor("items")
    return items.to(device)
