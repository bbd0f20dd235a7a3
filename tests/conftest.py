"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real audio (`fsdd/`, `esc10/`): $GENAUDIO_DATA, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("GENAUDIO_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real audio at {folder}; set GENAUDIO_DATA to a folder that holds fsdd/ and esc10/")
    return folder
