"""The product of a matrix with itself.

Shapes: rows (n, d); product (d, d).
"""

from __future__ import annotations

import torch
from torch import Tensor


def gram(rows: Tensor) -> Tensor:
    """X^T X; `gram(x.mT)` is X X^T.

    On the CPU it is numpy's, on the tensor's own memory: of a matrix and its own transpose numpy asks BLAS for the
    symmetric product, which is half of the multiplications of the general one. Torch has none such.
    """
    if rows.device.type != "cpu":
        return rows.mT @ rows
    array = rows.detach().numpy()
    return torch.from_numpy(array.T @ array)
