"""A small network in a folder: its weights as safetensors, and a JSON card that says what it is, with their SHA-256."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.core.files import atomic_file, sha256, write_json

Network = TypeVar("Network", bound=nn.Module)


def weights_of(network: nn.Module) -> bytes:
    """The weights as the file holds them."""
    tensors: dict[str, Tensor] = network.state_dict()
    return save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def save_network(network: nn.Module, folder: Path, name: str, version: int, card: Mapping[str, Any]) -> None:
    """Write `<name>.safetensors` and `<name>.json`: the format's version, the weights' SHA-256, and the `card`."""
    weights = folder / f"{name}.safetensors"
    with atomic_file(weights) as partial:
        partial.write_bytes(weights_of(network))
    write_json(folder / f"{name}.json", {"format": version, "sha256": sha256(weights), **card})


def load_network(
    build: Callable[[Mapping[str, Any]], Network], folder: Path, name: str, version: int, mend: str
) -> tuple[Network, dict[str, Any]]:
    """The network that `build` makes of the card, with the weights beside it, ready to be used; and the card.

    Raises `GenaudioError` with `mend` where the files cannot be read, or do not belong together.
    """
    card_path, weights = folder / f"{name}.json", folder / f"{name}.safetensors"
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if card["format"] != version:
            raise GenaudioError(f"{card_path} has the format {card['format']}", expected=f"format {version}", mend=mend)
        recorded = str(card["sha256"])
        with torch.random.fork_rng(devices=[]):  # the weights that are about to be replaced draw from it
            network = build(card)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenaudioError(f"{card_path} cannot be read: {error!r}", expected="its card", mend=mend) from error
    try:
        found = sha256(weights)
        if found != recorded:
            raise GenaudioError(
                f"{weights} has the SHA-256 {found[:12]}…", expected=f"{recorded[:12]}… as its card says", mend=mend
            )
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise GenaudioError(f"{weights} cannot be read: {error}", expected="its weights", mend=mend) from error
    return network.eval(), card
