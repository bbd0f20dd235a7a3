"""The trained part: a network and what conditions it.

Shapes: x (batch, features, freq, time); labels (batch,), int64, -1 for dropped; condition (batch, size) or None.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genaudio.core.seeds import derive_seed
from genaudio.networks.base import Network
from genaudio.networks.conditioners.base import Conditioner
from genaudio.preconditioners.base import NetworkFunction


class DiffusionModel(nn.Module):
    """A network and, where there are classes, the module that turns labels into its condition."""

    def __init__(self, network: nn.Module, conditioner: nn.Module | None) -> None:
        super().__init__()
        self.network = network
        self.conditioner = conditioner

    def condition(self, labels: Tensor | None) -> Tensor | None:
        """The condition vectors of labels; None for a model without classes."""
        if self.conditioner is None or labels is None:
            return None
        condition: Tensor = self.conditioner(labels)
        return condition

    def network_function(self, *, bf16: bool) -> NetworkFunction:
        """The network as a plain function that returns float32, its inner arithmetic in bf16 if asked for."""

        def call(x: Tensor, noise_level: Tensor, condition: Tensor | None) -> Tensor:
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
                output: Tensor = self.network(x, noise_level, condition)
            return output.float()

        return call


def build_model(
    network: Network, conditioner: Conditioner | None, shape: tuple[int, int, int], num_classes: int, seed: int
) -> DiffusionModel:
    """The model with initial weights that depend on `seed` alone; the global random state is left as it was."""
    used = conditioner if num_classes > 0 else None
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "initial weights"))
        return DiffusionModel(
            network.build(shape, used.size if used else None), used.build(num_classes) if used else None
        )
