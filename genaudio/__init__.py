"""genaudio: a modular, plugin-based framework for generative audio.

Everything here is imported when first used; importing `genaudio` imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genaudio.core.component import Component, parameter
    from genaudio.core.create import create
    from genaudio.core.errors import GenaudioError
    from genaudio.core.recipe import Recipe, load_recipe
    from genaudio.datasets.base import Dataset
    from genaudio.evaluation.embeddings.base import Embedding
    from genaudio.evaluation.metrics.base import Metric
    from genaudio.networks.base import Network
    from genaudio.networks.conditioners.base import Conditioner
    from genaudio.plugins.hookspecs import hookimpl
    from genaudio.preconditioners.base import Coefficients, Preconditioner
    from genaudio.representations.base import Representation
    from genaudio.runs.model import load
    from genaudio.runs.pipeline import run
    from genaudio.samplers.base import Solver, StepSolver
    from genaudio.samplers.guidance.base import Guidance
    from genaudio.samplers.schedules.base import Schedule
    from genaudio.training.noise.base import NoiseDistribution

    __version__: str

_HOMES = {
    "Coefficients": "genaudio.preconditioners.base",
    "Component": "genaudio.core.component",
    "Conditioner": "genaudio.networks.conditioners.base",
    "Dataset": "genaudio.datasets.base",
    "Embedding": "genaudio.evaluation.embeddings.base",
    "GenaudioError": "genaudio.core.errors",
    "Guidance": "genaudio.samplers.guidance.base",
    "Metric": "genaudio.evaluation.metrics.base",
    "Network": "genaudio.networks.base",
    "NoiseDistribution": "genaudio.training.noise.base",
    "Preconditioner": "genaudio.preconditioners.base",
    "Recipe": "genaudio.core.recipe",
    "Representation": "genaudio.representations.base",
    "Schedule": "genaudio.samplers.schedules.base",
    "Solver": "genaudio.samplers.base",
    "StepSolver": "genaudio.samplers.base",
    "create": "genaudio.core.create",
    "hookimpl": "genaudio.plugins.hookspecs",
    "load": "genaudio.runs.model",
    "load_recipe": "genaudio.core.recipe",
    "parameter": "genaudio.core.component",
    "run": "genaudio.runs.pipeline",
}

__all__ = [
    "Coefficients",
    "Component",
    "Conditioner",
    "Dataset",
    "Embedding",
    "GenaudioError",
    "Guidance",
    "Metric",
    "Network",
    "NoiseDistribution",
    "Preconditioner",
    "Recipe",
    "Representation",
    "Schedule",
    "Solver",
    "StepSolver",
    "__version__",
    "create",
    "hookimpl",
    "load",
    "load_recipe",
    "parameter",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("genaudio")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'genaudio' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
