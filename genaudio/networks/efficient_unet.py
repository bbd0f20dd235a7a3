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
from genaudio.networks.layers.positions import Positions
from genaudio.networks.layers.residual import ResidualBlock

_SOURCE = "EDMSound's public code"

# What a preset sets beyond the defaults, which are `edmsound`. The lean ones spend little where the plane is large: no
# convolution at full resolution, few blocks, one kernel; layer normalisation is one pass where group takes several.
# Offsets for rows and columns cost nothing and say what a small network would spend its layers on: where it is.
_LEAN: dict[str, Any] = {
    "patch_size": 2,
    "downsample_first": False,
    "first_kernels": (3,),
    "final_block": False,
    "blocks": 0,
    "multipliers": (1, 1, 2, 2),
    "norm": "layer",
    "positions": True,
    "embedding_layers": 2,
}
PRESETS: dict[str, dict[str, Any]] = {
    "edmsound": {},
    "base": {**_LEAN, "channels": 64, "multipliers": (1, 2, 2, 3), "blocks": 1, "embedding_size": 256},
    "small": {**_LEAN, "channels": 64, "embedding_size": 192},
    "tiny": {**_LEAN, "channels": 32, "attention_levels": (3,), "embedding_size": 128},
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
        2, ge=0, description="Residual blocks a level, beyond the one that opens it", source=_SOURCE
    )
    attention_levels: Ints = parameter(
        (2, 3), description="Levels with self-attention, counted from 0 at the highest resolution", source=_SOURCE
    )
    heads: int = parameter(2, ge=1, description="Attention heads", source=_SOURCE)
    feed_forward: int = parameter(2, ge=1, description="Hidden width after attention, in units of the level's width")
    norm: Literal["group", "layer"] = parameter(
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
    positions: bool = parameter(
        False, description="Add a learned offset for each row and each column, so that a frequency knows its place"
    )
    embedding_size: int = parameter(512, ge=4, description="Size of the embedding of noise level and condition")
    embedding_layers: int = parameter(3, ge=2, description="Linear layers that the noise level passes")
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
        if self.norm == "group" and any(width % self.groups for width in (self.channels, *widths)):
            raise ValueError(
                f"groups {self.groups} does not divide the widths {self.channels}, {widths}; change channels or groups"
            )
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

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise `GenaudioError` if freq or time is no multiple of `multiple`."""
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

    def build(self, shape: tuple[int, int, int], condition_size: int | None) -> nn.Module:
        """The module for x of `shape`; raises `GenaudioError` where `check` does."""
        self.check(shape)
        return _EfficientUNet(self, shape, condition_size)

    def _described(self) -> str:
        return f"an Efficient U-Net of {len(self.multipliers)} levels on patches of {self.patch_size}"


def _nearest(value: int, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)


class _DownLevel(nn.Module):
    """One level on the way down: halve the plane, blocks, attention; gives its skip connections too."""

    def __init__(self, sample: nn.Module, blocks: list[nn.Module], attention: nn.Module) -> None:
        super().__init__()
        self.sample = sample
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention

    def forward(self, x: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.sample(x)
        skips = []
        for block in self.blocks:
            x = block(x, embedding)
            skips.append(x)
        x = self.attention(x)
        return x, [*skips[:-1], x]


class _UpLevel(nn.Module):
    """One level on the way up: blocks, each with one skip connection, attention, double the plane."""

    def __init__(self, blocks: list[nn.Module], attention: nn.Module, sample: nn.Module, skip_scale: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention
        self.sample = sample
        self.skip_scale = skip_scale

    def forward(self, x: Tensor, skips: list[Tensor], embedding: Tensor) -> Tensor:
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = block(torch.cat([x, skip * self.skip_scale], dim=1), embedding)
        doubled: Tensor = self.sample(self.attention(x))
        return doubled


class _EfficientUNet(nn.Module):
    def __init__(self, config: EfficientUNet, shape: tuple[int, int, int], condition_size: int | None) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.condition_size = condition_size
        self.patch_size = config.patch_size
        features = shape[0] * config.patch_size**2
        channels, widths = config.channels, config.widths

        def block(in_channels: int, out_channels: int) -> nn.Module:
            return ResidualBlock(
                in_channels,
                out_channels,
                config.embedding_size,
                norm_name=config.norm,
                groups=config.groups,
                global_context=config.global_context,
                dropout=config.dropout,
            )

        def attention(width: int) -> nn.Module:
            return AttentionBlock(
                width,
                heads=config.heads,
                feed_forward=config.feed_forward,
                norm_name=config.norm,
                groups=config.groups,
            )

        def level_attention(level: int) -> nn.Module:
            return attention(widths[level]) if level in config.attention_levels else nn.Identity()

        self.noise_embedding = NoiseEmbedding(channels, config.embedding_size, config.embedding_layers)
        self.condition_embedding = None if condition_size is None else nn.Linear(condition_size, config.embedding_size)
        self.first = MultiKernel(features, channels, config.first_kernels)

        rows, columns = shape[1] // self.patch_size, shape[2] // self.patch_size
        self.positions = Positions(channels, rows, columns) if config.positions else nn.Identity()

        # Level k works at 1 / 2^(k + 1) of the resolution if it is halved before the blocks, else at 1 / 2^k.
        incoming = (channels, *widths[:-1])
        halved = [config.downsample_first or level > 0 for level in range(len(widths))]
        upsample = PixelShuffleUpsample if config.upsampling == "pixel_shuffle" else NearestUpsample
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            halve = Downsample(incoming[level], width) if halved[level] else nn.Identity()
            opening = width if halved[level] else channels
            blocks = [block(opening if k == 0 else width, width) for k in range(config.blocks + 1)]
            self.down.append(_DownLevel(halve, blocks, level_attention(level)))
        for level, width in reversed(list(enumerate(widths))):
            blocks = [block(2 * width, width) for _ in range(config.blocks + 1)]
            double = upsample(width, incoming[level]) if halved[level] else nn.Identity()
            self.up.append(_UpLevel(blocks, level_attention(level), double, config.skip_scale))

        lowest = widths[-1]
        self.middle_block1 = block(lowest, lowest)
        self.middle_attention = attention(lowest)
        self.middle_block2 = block(lowest, lowest)

        last = channels if config.downsample_first else widths[0]
        self.final_block = block(last + channels, channels) if config.final_block else None
        self.last = convolution(channels if config.final_block else last, features, zero=True)

    def forward(self, x: Tensor, noise_level: Tensor, condition: Tensor | None = None) -> Tensor:
        self._check(x, condition)
        embedding = self.noise_embedding(noise_level)
        if self.condition_embedding is not None and condition is not None:
            embedding = embedding + self.condition_embedding(condition.to(embedding.dtype))
        if self.patch_size > 1:
            x = nn.functional.pixel_unshuffle(x, self.patch_size)
        first = x = self.positions(self.first(x.contiguous(memory_format=torch.channels_last)))

        levels = []
        for down in self.down:
            x, skips = down(x, embedding)
            levels.append(skips)
        x = self.middle_block1(x, embedding)
        x = self.middle_block2(self.middle_attention(x), embedding)
        for up in self.up:
            x = up(x, levels.pop(), embedding)

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
