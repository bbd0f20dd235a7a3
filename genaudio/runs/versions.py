"""What a result depends on of what is installed."""

from __future__ import annotations

import importlib.metadata
import platform

import torch

import genaudio
from genaudio.plugins.manager import registry


def versions() -> dict[str, str]:
    """Versions that a result depends on: genaudio, plugins in use, torch, Python, the machine."""
    plugins = {e.distribution: e.version for e in registry().entries() if e.distribution != "genaudio"}
    return {
        "genaudio": genaudio.__version__,
        **plugins,
        "torch": str(torch.__version__),
        "torchaudio": importlib.metadata.version("torchaudio"),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
