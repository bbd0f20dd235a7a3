"""The denoising loss.

Shapes: x (batch, features, freq, time); sigma (batch,); condition (batch, size) or None.
"""

from __future__ import annotations

from torch import Tensor

from genaudio.preconditioners.base import ConditionalDenoiser, Preconditioner


def denoising_loss(
    denoiser: ConditionalDenoiser,
    preconditioner: Preconditioner,
    x: Tensor,
    sigma: Tensor,
    noise: Tensor,
    condition: Tensor | None,
) -> Tensor:
    """Loss of each item, `(batch,)`: lambda(sigma) ||D(x + sigma n; sigma) - x||^2, averaged over the item's elements.

    Source: Karras et al. 2022, arXiv 2206.00364, Eq. 2 and 8; the mean over items is left to the caller. `sigma` is
    float64; the weight is computed in it.
    """
    level = sigma.to(x).reshape(-1, *(1,) * (x.ndim - 1))
    error = denoiser(x + level * noise, sigma, condition) - x
    weight = preconditioner.loss_weight(sigma).to(x)
    return weight * error.square().flatten(1).mean(dim=1)
