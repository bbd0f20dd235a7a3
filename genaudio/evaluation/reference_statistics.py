"""Reference statistics: what an embedding heard in real clips, in one `.safetensors` file that can be shipped.

Tensors: `features`, `clip` and, of an embedding that classifies, `log_probabilities`; or, where only moments are
shipped, `mean`, `covariance` and `count`, and of each class `<number>.mean` and so on. The header's entry `genaudio`
is a JSON object: format, version, names, labels, classes, and the card of how the features were computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genaudio.core.errors import GenaudioError
from genaudio.core.files import atomic_file
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.frechet import Moments

FORMAT = 1
SUFFIX = ".safetensors"
_ENTRY = "genaudio"
_PARTS = ("mean", "covariance", "count")
# What two sets of features must have in common to be compared, and how a message calls it.
_EMBEDDING = {
    "embedding": "embedding",
    "embedding_fields": "fields",
    "weights_sha256": "hash of the weights",
    "config_sha256": "hash of the configuration",
    "embedding_sample_rate": "sample rate",
    "frame_window": "window",
    "frame_hop": "hop",
    "channels": "channels",
}
_WHERE = ("weights", "revision")  # fields that say where weights are; which they are, their hash says


def save_statistics(path: Path, features: FeatureSet, *, moments_only: bool = False) -> None:
    """Write the features to `path`; with `moments_only` no more than their moments and those of each class.

    Moments are small and let nobody tell a clip, and serve Fréchet distances of all rows alone.
    """
    header = {
        "format": FORMAT,
        "genaudio": version("genaudio"),
        "names": features.names,
        "labels": features.labels,
        "classes": features.classes,
        "card": dict(features.card),
    }
    if moments_only or features.moments is not None:
        tensors, of_classes = _moments_of(features)
        header |= {"names": [], "labels": [], "classes": [], "moments": of_classes}
    else:
        tensors = {"features": features.features, "clip": features.clip}
        if features.log_probabilities is not None:
            tensors["log_probabilities"] = features.log_probabilities
    with atomic_file(path) as partial:
        text = json.dumps(header, ensure_ascii=False, allow_nan=False)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, {_ENTRY: text})


def load_statistics(path: Path) -> FeatureSet:
    """The features, or the moments, in a file that `save_statistics` wrote; raises `GenaudioError` for any other."""
    mend = "write it again with gen evaluate --save-reference"
    try:
        with safe_open(path, "pt") as file:
            entry = (file.metadata() or {}).get(_ENTRY)
            if entry is None:
                raise ValueError("it holds something else")
            header: Any = json.loads(entry)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        found_format = header["format"]
    except FileNotFoundError:
        raise GenaudioError(f"{path} is not there", expected="a file of reference statistics", mend=mend) from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise GenaudioError(f"{path} cannot be read: {error}", expected="reference statistics", mend=mend) from error
    if found_format != FORMAT:
        raise GenaudioError(f"{path} has the format {found_format}", expected=f"format {FORMAT}", mend=mend)
    try:
        return _moments(tensors, header) if "moments" in header else _features(tensors, header)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise GenaudioError(f"{path} is damaged: {error!r}", expected="what its header says", mend=mend) from error


def check_same_embedding(
    generated: Mapping[str, Any],
    reference: Mapping[str, Any],
    source: str,
    mend: str = "use the reference's embedding, as without --embedding, or compute the reference again",
) -> None:
    """Raise `GenaudioError` unless two cards tell of the same embedding, weights and rates; `source` names the second.

    Where the weights lie does not matter if their hash is the same. `mend` is what to do where they differ.
    """
    for key, name in _EMBEDDING.items():
        ours, theirs = generated.get(key), reference.get(key)
        if key == "embedding_fields" and generated.get("weights_sha256") == reference.get("weights_sha256") is not None:
            ours, theirs = ({k: v for k, v in (fields or {}).items() if k not in _WHERE} for fields in (ours, theirs))
        if ours != theirs:
            if key == "embedding_fields":
                ours, theirs = _differing(ours or {}, theirs or {})
            raise GenaudioError(
                f"{source} was computed with the {name} {_spelled(theirs)}",
                expected=f"{_spelled(ours)}, as for the generated clips",
                mend=mend,
            )


def identity(card: Mapping[str, Any]) -> dict[str, Any]:
    """Of a card, what says which embedding was used, and not where its weights lie if their hash is known."""
    facts = {key: card.get(key) for key in _EMBEDDING}
    if facts["weights_sha256"] is not None:
        fields = facts["embedding_fields"] or {}
        facts["embedding_fields"] = {key: value for key, value in fields.items() if key not in _WHERE}
    return facts


def _moments_of(features: FeatureSet) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by name, and the classes that they are of, in the order of their numbers."""
    whole = features.moments or Moments.of(features.features)
    by_class = dict(features.class_moments)
    for label in features.found_classes:
        part = features.of_class(label)
        if label not in by_class and len(part.features) > 1:
            by_class[label] = Moments.of(part.features)
    tensors = _tensors("", whole)
    for number, moments in enumerate(by_class.values()):
        tensors |= _tensors(f"{number}.", moments)
    return tensors, list(by_class)


def _tensors(prefix: str, moments: Moments) -> dict[str, Tensor]:
    parts = (moments.mean, moments.covariance, torch.tensor(moments.count))
    return {f"{prefix}{name}": part for name, part in zip(_PARTS, parts, strict=True)}


def _read_moments(tensors: Mapping[str, Tensor], prefix: str) -> Moments:
    mean, covariance, count = (tensors[f"{prefix}{name}"] for name in _PARTS)
    _hold(mean.ndim == 1 and covariance.shape == (len(mean), len(mean)), "shapes of moments that do not fit")
    return Moments(mean.double(), covariance.double(), int(count))


def _moments(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> FeatureSet:
    of_classes = {label: _read_moments(tensors, f"{number}.") for number, label in enumerate(header["moments"])}
    return FeatureSet.of_moments(_read_moments(tensors, ""), class_moments=of_classes, card=header["card"])


def _features(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> FeatureSet:
    features, clip, logs = tensors["features"], tensors["clip"], tensors.get("log_probabilities")
    names, labels, classes = (tuple(header[key]) for key in ("names", "labels", "classes"))
    _hold(features.ndim == 2 and features.dtype == torch.float64, "features that are no float64 rows")
    _hold(len(names) == len(labels) > 0, "as many names as labels")
    _hold(clip.shape == (len(features),), "a clip for each row")
    _hold(torch.equal(torch.unique_consecutive(clip), torch.arange(len(names))), "clips in their order")
    _hold(logs is None or logs.shape == (len(names), len(classes)), "log-probabilities of each clip")
    return FeatureSet(features, clip, names, labels, logs, classes, dict(header["card"]))


def _hold(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that are not equal."""
    keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    return {key: ours.get(key) for key in keys}, {key: theirs.get(key) for key in keys}


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_spelled(one)}" for key, one in value.items())
    return "none" if value is None else str(value)
