"""The Efficient U-Net of EDMSound (arXiv 2311.08667; the design is Imagen's, arXiv 2205.11487, Appendix B.1).

Shapes: x (batch, features, freq, time); noise_level (batch,); condition (batch, size) or None.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from genaudio.core.component import Ints, parameter
from genaudio.core.errors import GenaudioError
from genaudio.networks.base import Network
from genaudio.networks.layers.attention import AttentionBlock
from genaudio.networks.layers.convolution import (
    Downsample,
    MultiKernel,
    NearestUpsample,
    PixelShuffleUpsample,
    convolution,
)
from genaudio.networks.layers.embedding import NoiseEmbedding
from genaudio.networks.layers.residual import ResidualBlock

_SOURCE = "EDMSound's public code"

# What a preset sets beyond the defaults, which are `edmsound`.
_LEAN: dict[str, Any] = {
    "patch_size": 2,
    "downsample_first": False,
    "first_kernels": (3,),
    "final_block": False,
    "blocks": 1,
}
PRESETS: dict[str, dict[str, Any]] = {
    "edmsound": {},
    "base": {**_LEAN, "channels": 64, "multipliers": (1, 2, 2, 3), "embedding_size": 256},
    "small": {**_LEAN, "channels": 48, "multipliers": (1, 1, 2, 2), "embedding_size": 192},
    "tiny": {**_LEAN, "channels": 32, "multipliers": (1, 1, 2, 2), "embedding_size": 128},
}


class EfficientUNet(Network):
    """A U-Net that halves the plane before each level's blocks, with attention where it is cheap.

    `preset` sets every field that is not given: `edmsound` is the published network (45.2 M parameters for 2x256x128),
    `base`, `small` and `tiny` are lean ones for the CPU. The output starts at 0.
    """

    preset: Literal["edmsound", "base", "small", "tiny"] = parameter(
        "edmsound", description="Values of all fields that are not given"
    )
    channels: int = parameter(128, ge=8, description="Width of the first level", source=_SOURCE)
    multipliers: Ints = parameter(
        (1, 2, 2, 2), min_length=1, description="Width of each level, in units of `channels`", source=_SOURCE
    )
    blocks: int = parameter(
        2, ge=1, description="Residual blocks a level, beyond the one that opens it", source=_SOURCE
    )
    attention_levels: Ints = parameter(
        (2, 3), description="Levels with self-attention, counted from 0 at the highest resolution", source=_SOURCE
    )
    heads: int = parameter(2, ge=1, description="Attention heads", source=_SOURCE)
    feed_forward: int = parameter(2, ge=1, description="Hidden width after attention, in units of the level's width")
    norm: Literal["group", "rms"] = parameter(
        "group", description="Normalisation: over groups of channels and the plane, or over channels alone"
    )
    groups: int = parameter(8, ge=1, description="Groups of the group normalisation", source=_SOURCE)
    downsample_first: bool = parameter(
        True, description="Halve the plane before a level's blocks instead of after them", source=_SOURCE
    )
    upsampling: Literal["pixel_shuffle", "nearest"] = parameter(
        "pixel_shuffle", description="How the plane is doubled", source=_SOURCE
    )
    skip_scale: float = parameter(1 / math.sqrt(2), gt=0, description="Factor on skip connections", source=_SOURCE)
    first_kernels: Ints = parameter(
        (3, 7, 15), min_length=1, description="Kernel sizes of the first convolution, side by side", source=_SOURCE
    )
    global_context: bool = parameter(
        True, description="Gate the output of each block by its attention-weighted mean", source=_SOURCE
    )
    final_block: bool = parameter(
        True, description="A residual block on the last features and the first convolution's", source=_SOURCE
    )
    patch_size: int = parameter(
        1, ge=1, le=8, description="Fold patches of this size into features before the network, and back after it"
    )
    embedding_size: int = parameter(512, ge=4, description="Size of the embedding of noise level and condition")
    dropout: float = parameter(0.0, ge=0, lt=1, description="Dropout inside residual blocks")

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: Any) -> Any:
        if isinstance(values, dict):
            preset = values.get("preset", "edmsound")
            if isinstance(preset, str) and preset in PRESETS:
                return {**PRESETS[preset], **values}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        widths = self.widths
        for level in self.attention_levels:
            if not 0 <= level < len(widths):
                raise ValueError(f"attention_levels names level {level}; the levels are 0 to {len(widths) - 1}")
        if any(multiplier < 1 for multiplier in self.multipliers):
            raise ValueError(f"multipliers {self.multipliers} must be 1 or more")
        if any(kernel < 1 or kernel % 2 == 0 for kernel in self.first_kernels):
            raise ValueError(f"first_kernels {self.first_kernels} must be odd")
        if self.norm == "group" and any(width % self.groups for width in widths):
            raise ValueError(f"groups {self.groups} does not divide the widths {widths}; change channels or groups")
        if any(widths[level] % self.heads for level in (*self.attention_levels, len(widths) - 1)):
            raise ValueError(f"heads {self.heads} does not divide the widths {widths}; change channels or heads")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, from the highest resolution down."""
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def multiple(self) -> int:
        """The number that freq and time must be multiples of."""
        halvings = len(self.multipliers) - (0 if self.downsample_first else 1)
        return int(self.patch_size * 2**halvings)

    def build(self, shape: tuple[int, int, int], condition_size: int | None) -> nn.Module:
        """The module for x of `shape`; raises `GenaudioError` if freq or time is no multiple of `multiple`."""
        _, freq, time = shape
        if freq % self.multiple:
            raise GenaudioError(
                f"{freq} frequency bins for {self._described()}",
                expected=f"a multiple of {self.multiple}",
                mend=f"choose a representation with {_nearest(freq, self.multiple)} bins "
                f"(representation.n_fft: {2 * _nearest(freq, self.multiple) - 2})",
            )
        if time % self.multiple:
            raise GenaudioError(
                f"{time} frames for {self._described()}",
                expected=f"a multiple of {self.multiple}",
                mend=f"set representation.time_multiple: {self.multiple}",
            )
        return _EfficientUNet(self, shape, condition_size)

    def _described(self) -> str:
        return f"an Efficient U-Net of {len(self.multipliers)} levels on patches of {self.patch_size}"


def _nearest(value: int, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)


class _Level(nn.Module):
    """The blocks of one level on one side of the U, and its attention."""

    def __init__(self, blocks: list[ResidualBlock], attention: AttentionBlock | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention


class _EfficientUNet(nn.Module):
    def __init__(self, config: EfficientUNet, shape: tuple[int, int, int], condition_size: int | None) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.condition_size = condition_size
        self.patch_size = config.patch_size
        self.skip_scale = config.skip_scale
        self.downsample_first = config.downsample_first
        features = shape[0] * config.patch_size**2
        widths = config.widths
        size = config.embedding_size

        def block(in_channels: int, out_channels: int) -> ResidualBlock:
            return ResidualBlock(
                in_channels,
                out_channels,
                size,
                norm_name=config.norm,
                groups=config.groups,
                global_context=config.global_context,
                dropout=config.dropout,
            )

        def attention(channels: int, level: int | None = None) -> AttentionBlock | None:
            if level is not None and level not in config.attention_levels:
                return None
            return AttentionBlock(
                channels,
                heads=config.heads,
                feed_forward=config.feed_forward,
                norm_name=config.norm,
                groups=config.groups,
            )

        self.noise_embedding = NoiseEmbedding(config.channels, size)
        self.condition_embedding = None if condition_size is None else nn.Linear(condition_size, size)
        self.first = MultiKernel(features, config.channels, config.first_kernels)

        # Downsample first: level k works at 1 / 2^(k + 1) of the resolution; otherwise at 1 / 2^k.
        incoming = (config.channels, *widths[:-1])
        self.down, self.down_samples = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            halve = config.downsample_first or level > 0
            self.down_samples.append(Downsample(incoming[level], width) if halve else nn.Identity())
            opening = width if halve else incoming[level]
            blocks = [block(opening if k == 0 else width, width) for k in range(config.blocks + 1)]
            self.down.append(_Level(blocks, attention(width, level)))

        self.middle = nn.ModuleList([block(widths[-1], widths[-1]) for _ in range(2)])
        self.middle_attention = attention(widths[-1])

        upsample = PixelShuffleUpsample if config.upsampling == "pixel_shuffle" else NearestUpsample
        self.up, self.up_samples = nn.ModuleList(), nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            # Each block takes one skip connection, of the level's width.
            blocks = [block(2 * width, width) for _ in range(config.blocks + 1)]
            self.up.append(_Level(blocks, attention(width, level)))
            double = config.downsample_first or level > 0
            self.up_samples.append(upsample(width, incoming[level]) if double else nn.Identity())
        last = config.channels if config.downsample_first else widths[0]
        self.final_block = block(last + config.channels, config.channels) if config.final_block else None
        self.last = convolution(config.channels if config.final_block else last, features, zero=True)

    def forward(self, x: Tensor, noise_level: Tensor, condition: Tensor | None = None) -> Tensor:
        self._check(x, condition)
        embedding = self.noise_embedding(noise_level)
        if self.condition_embedding is not None and condition is not None:
            embedding = embedding + self.condition_embedding(condition.to(embedding.dtype))
        if self.patch_size > 1:
            x = nn.functional.pixel_unshuffle(x, self.patch_size)
        first = x = self.first(x.contiguous(memory_format=torch.channels_last))

        skips = []
        for level, sample in zip(self.down, self.down_samples, strict=True):
            x = sample(x)
            for block in level.blocks:
                x = block(x, embedding)
                skips.append(x)
            if level.attention is not None:
                skips[-1] = x = level.attention(x)

        x = self.middle[0](x, embedding)
        x = self.middle_attention(x)
        x = self.middle[1](x, embedding)

        for level, sample in zip(self.up, self.up_samples, strict=True):
            for block in level.blocks:
                x = block(torch.cat([x, skips.pop() * self.skip_scale], dim=1), embedding)
            if level.attention is not None:
                x = level.attention(x)
            x = sample(x)

        if self.final_block is not None:
            x = self.final_block(torch.cat([x, first], dim=1), embedding)
        x = self.last(x)
        if self.patch_size > 1:
            x = nn.functional.pixel_shuffle(x, self.patch_size)
        return x.contiguous()

    def _check(self, x: Tensor, condition: Tensor | None) -> None:
        if tuple(x.shape[1:]) != self.shape:
            raise GenaudioError(
                f"x of shape {tuple(x.shape)}",
                expected=f"(batch, {', '.join(map(str, self.shape))})",
                mend="build the network for the shape of the representation",
            )
        size = None if condition is None else condition.shape[-1]
        if size != self.condition_size:
            raise GenaudioError(
                f"a condition of size {size}",
                expected=f"size {self.condition_size}",
                mend="give the condition that the network was built for",
            )
