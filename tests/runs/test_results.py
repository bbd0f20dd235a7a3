"""What stages have written is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from genaudio.core.errors import RunError
from genaudio.runs.results import read_results


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text('{"clips": [], "statistics": {}}')
    assert read_results(tmp_path / "audit.json", "audit", "clips", "statistics") == {"clips": [], "statistics": {}}


@pytest.mark.parametrize("text", [None, "{", "[]", '{"clips": []}'])
def test_results_that_cannot_be_used_are_made_again(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "audit.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RunError, match=r"audit\.json cannot be read[\s\S]*--only audit --force, then the report"):
        read_results(path, "audit", "clips", "statistics")
