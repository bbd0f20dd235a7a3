"""What a stage of a run has found, read again for the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genaudio.core.errors import RunError


def read_results(path: Path, stage: str, *keys: str) -> Mapping[str, Any]:
    """The JSON object that a stage wrote, with these keys; raises `RunError` if it cannot be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = [found[key] for key in keys]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {error!r}",
            expected=f"what the stage {stage} wrote",
            mend=f"make it again with --only {stage} --force, then the report",
        ) from error
    return found
