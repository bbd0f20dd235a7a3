"""A second spelling, in NumPy and float64, of what published networks are made of; random weights for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]


class Spelling:
    """Layers on one item, `(channels, ...)`; the weights come from a `state_dict`."""

    @staticmethod
    def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
        """Weights and statistics drawn anew, none a neutral 0 or 1, and such that ReLUs let most of it through."""
        generator = torch.Generator().manual_seed(seed)
        for name, value in network.state_dict().items():
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
            elif value.is_floating_point():
                low = 0.5 if name.endswith(("var", "weight")) else 0.1
                value.copy_(low + torch.rand(value.shape, generator=generator))
        return network.eval()

    @staticmethod
    def weights(network: nn.Module) -> dict[str, Array]:
        return {name: value.double().numpy() for name, value in network.state_dict().items()}

    @staticmethod
    def conv2d(x: Array, w: Array) -> Array:
        """Of the same size; x (channels, rows, columns), w (out, in, k, k)."""
        edge = w.shape[-1] // 2
        windows = sliding_window_view(np.pad(x, ((0, 0), (edge, edge), (edge, edge))), w.shape[-2:], axis=(1, 2))
        return np.einsum("cijkl,ockl->oij", windows, w)

    @staticmethod
    def conv1d(x: Array, w: Array, *, stride: int = 1, dilation: int = 1) -> Array:
        """x (channels, time), w (out, in, k), padded by half of the kernel's reach."""
        reach = dilation * (w.shape[-1] - 1)
        padded = np.pad(x, ((0, 0), (reach // 2, reach // 2)))
        windows = sliding_window_view(padded, reach + 1, axis=1)[:, ::stride, ::dilation]
        return np.einsum("ctk,ock->ot", windows, w)

    @staticmethod
    def batch_norm(x: Array, w: dict[str, Array], name: str) -> Array:
        """Over the first axis, with the statistics of training."""
        shape = (-1,) + (1,) * (x.ndim - 1)
        mean, variance = w[f"{name}.running_mean"].reshape(shape), w[f"{name}.running_var"].reshape(shape)
        scale, shift = w[f"{name}.weight"].reshape(shape), w[f"{name}.bias"].reshape(shape)
        return (x - mean) / np.sqrt(variance + 1e-5) * scale + shift

    @staticmethod
    def cells(x: Array, rows: int, columns: int) -> Array:
        """Cells of rows x columns on two new last axes; what does not fill a cell is left out."""
        height, width = x.shape[1] // rows, x.shape[2] // columns
        whole = x[:, : height * rows, : width * columns].reshape(len(x), height, rows, width, columns)
        return whole.transpose(0, 1, 3, 2, 4)

    @staticmethod
    def relu(x: Array) -> Array:
        return np.maximum(x, 0)


@pytest.fixture
def spelling() -> type[Spelling]:
    return Spelling
