"""CLAP checkpoints as LAION publishes them (`630k-audioset-best.pt` and its like), read into transformers' ClapModel.

Such a file is a pickle that holds `state_dict`, and often the optimizer too. Torch's restricted unpickler reads it: it
builds tensors and plain containers, passes over numpy's numbers, and runs nothing else. The sizes of the model are read
off the weights' shapes: HTSAT-tiny or -base, with or without feature fusion.

Source of the names: the modules of github.com/LAION-AI/CLAP (`CLAP`, `HTSAT_Swin_Transformer`) and of transformers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.weights.huggingface import first_line, quiet, transformers
from genaudio.evaluation.embeddings.weights.published import unpickled

# What no embedding is made of: the front end (computed here), the classifier's head, the layers of pre-training.
_UNUSED = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|spec_augmenter|tscam_conv|head)\.|(audio|text)_transform\.|"
    r".*\.attn_mask$"
)
# Tables of numbers that follow from the sizes; a checkpoint may or may not hold them.
_TABLES = ("position_ids", "token_type_ids", "relative_position_index")
_RENAMED = (
    (r"^text_branch\.", "text_model."),
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"_projection\.0\.", "_projection.linear1."),
    (r"_projection\.2\.", "_projection.linear2."),
    (r"audio_encoder\.bn0\.", "audio_encoder.batch_norm."),
    (r"(\.blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"(\.blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"(\.blocks\.\d+)\.mlp\.fc1\.", r"\1.intermediate.dense."),
    (r"(\.blocks\.\d+)\.mlp\.fc2\.", r"\1.output.dense."),
    (r"(\.blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"(\.blocks\.\d+)\.attn\.", r"\1.attention.self."),
)
_SPECTROGRAM = 256  # height and width of the picture that HTSAT folds its 64 x 1024 spectrogram into


def load_laion(path: Path) -> nn.Module:
    """The model of a checkpoint file, in float32 and evaluation mode; raises `GenaudioError` if it is not one."""
    state = _state(path)
    try:
        config = _config(state)
    except KeyError as error:
        raise _no_clap(path, f"lacks {error.args[0]}") from error
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise _no_clap(path, f"its weights have other shapes ({error})") from error
    with quiet():
        model: nn.Module = transformers().ClapModel(config)
        try:
            result = model.load_state_dict(_renamed(state), strict=False)
        except RuntimeError as error:
            raise _no_clap(path, str(error).splitlines()[-1].strip()) from error
    missing = [name for name in result.missing_keys if not name.endswith(_TABLES)]
    if missing or result.unexpected_keys:
        what = f"lacks {missing[0]}" if missing else f"holds {result.unexpected_keys[0]}, which has no place"
        raise _no_clap(path, what)
    return model.eval().requires_grad_(False)


def _state(path: Path) -> dict[str, Tensor]:
    """The weights by LAION's names, without the prefix that data-parallel training leaves."""
    try:
        loaded = unpickled(path)
    except Exception as error:  # a broken file breaks torch, pickle and zip in many ways
        raise GenaudioError(
            f"{path} cannot be read: {first_line(error)[:200]}",
            expected="a checkpoint of LAION's CLAP, with nothing in it but weights and numbers",
            mend="fetch the file again, from where its authors publish it",
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else {}
    named = {str(name).removeprefix("module."): value for name, value in state.items() if isinstance(value, Tensor)}
    if not any(name.startswith("audio_branch.") for name in named):
        raise _no_clap(path, "holds no weights named audio_branch.…")
    return {name: value.float() if value.is_floating_point() else value for name, value in named.items()}


def _config(state: Mapping[str, Tensor]) -> Any:
    """The sizes of both towers, of ClapModel's configuration; raises `KeyError` where a weight is missing."""
    shape = {name: tuple(value.shape) for name, value in state.items()}
    layers = _count(shape, "audio_branch.layers.")
    first = [f"audio_branch.layers.{layer}.blocks.0." for layer in range(layers)]
    tables = [shape[f"{prefix}attn.relative_position_bias_table"] for prefix in first]
    patches, _, patch, _ = shape["audio_branch.patch_embed.proj.weight"]
    fusion = shape.get("audio_branch.patch_embed.fusion_model.local_att.0.weight")
    dimensions = shape["audio_projection.2.weight"][0]
    audio = {
        "num_mel_bins": shape["audio_branch.bn0.weight"][0],
        "spec_size": _SPECTROGRAM,
        "patch_size": patch,
        "patch_stride": [patch, patch],
        "patch_embeds_hidden_size": patches,
        "hidden_size": patches * 2 ** (layers - 1),
        "num_hidden_layers": layers,
        "depths": [_count(shape, f"audio_branch.layers.{layer}.blocks.") for layer in range(layers)],
        "num_attention_heads": [heads for _, heads in tables],
        "window_size": (math.isqrt(tables[0][0]) + 1) // 2,  # the table is of (2 w - 1)^2 offsets
        "mlp_ratio": shape[f"{first[0]}mlp.fc1.weight"][0] / patches,
        "qkv_bias": f"{first[0]}attn.qkv.bias" in shape,
        "enable_patch_layer_norm": "audio_branch.patch_embed.norm.weight" in shape,
        "enable_fusion": fusion is not None,
        "fusion_type": "aff_2d" if fusion else None,
        "aff_block_r": patches // fusion[0] if fusion else 4,
        "projection_dim": dimensions,
    }
    words, width = shape["text_branch.embeddings.word_embeddings.weight"]
    text = {
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": _count(shape, "text_branch.encoder.layer."),
        "num_attention_heads": max(1, width // 64),  # RoBERTa of every size has heads of 64
        "intermediate_size": shape["text_branch.encoder.layer.0.intermediate.dense.weight"][0],
        "max_position_embeddings": shape["text_branch.embeddings.position_embeddings.weight"][0],
        "type_vocab_size": shape["text_branch.embeddings.token_type_embeddings.weight"][0],
        "layer_norm_eps": 1e-5,  # RoBERTa's, which LAION trains on; ClapTextConfig has another default
        "projection_dim": dimensions,
    }
    return transformers().ClapConfig(text_config=text, audio_config=audio, projection_dim=dimensions)


def _count(names: Iterable[str], prefix: str) -> int:
    """How many numbered parts follow `prefix`; raises `KeyError` for none."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    numbers = {int(found[1]) for name in names if (found := pattern.match(name))}
    if not numbers:
        raise KeyError(f"{prefix}0")
    return max(numbers) + 1


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the names of ClapModel, query, key and value apart."""
    renamed = {}
    for name, value in state.items():
        if _UNUSED.match(name):
            continue
        new = name
        for pattern, replacement in _RENAMED:
            new = re.sub(pattern, replacement, new)
        if ".self.qkv." in new:
            for part, piece in zip(("query", "key", "value"), value.chunk(3), strict=True):
                renamed[new.replace(".qkv.", f".{part}.")] = piece
        elif not new.endswith(_TABLES):
            renamed[new] = value
    return renamed


def _no_clap(path: Path, what: str) -> GenaudioError:
    return GenaudioError(
        f"{path} is not a checkpoint of LAION's CLAP: {what}",
        expected="an HTSAT audio tower and a RoBERTa text tower, as github.com/LAION-AI/CLAP saves them",
    )
