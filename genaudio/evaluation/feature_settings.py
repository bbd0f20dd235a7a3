"""What features depend on beside the content of a clip: the second half of the key of a cache of features."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import torch

from genaudio.datasets import audio
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.measuring import embedding_card

CHANNELS = 1  # clips are heard in mono, the mean of their channels, as the networks of embeddings were taught
_LIBRARIES = ("genaudio", "torch", "torchaudio", "numpy", "soxr", "soundfile", "transformers")


def feature_settings(embedding: Embedding, name: str, device: torch.device) -> dict[str, Any]:
    """Everything beside a clip's content that its features depend on."""
    return {
        **embedding_card(embedding, name),
        "classes": list(embedding.classes),
        "channels": CHANNELS,
        "device": device.type,
        "code": _code(type(embedding)),
        "libraries": {library: _version(library) for library in _LIBRARIES},
    }


@cache
def _code(cls: type[Embedding]) -> str:
    """SHA-256 of the source that computes features: the folder of packages that the class is from, and the decoder."""
    try:
        roots = {_root(inspect.getfile(base)) for base in cls.__mro__ if issubclass(base, Embedding)}
    except (OSError, TypeError):  # a class without a file: nobody can tell whether it is the same next time
        return secrets.token_hex(32)
    files = sorted({path for root in roots for path in ([root] if root.is_file() else root.rglob("*.py"))})
    digest = hashlib.sha256()
    for path in (*files, Path(audio.__file__)):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _root(file: str) -> Path:
    """genaudio's evaluation for what is in it; elsewhere the folder of the module where that is a package's, or it."""
    path, here = Path(file).resolve(), Path(__file__).resolve().parent
    if here in path.parents:
        return here
    return path.parent if (path.parent / "__init__.py").exists() else path


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
