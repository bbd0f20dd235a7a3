"""The log of a training run: one JSON object a line, always; TensorBoard too where it is installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genaudio.core.files import write_text

FIGURE = "metric/"  # before the name of a figure that was measured after a row's step
EVALUATED = "evaluation_seconds"  # in a row: figures were measured after its step
EARLIER = "earlier/"  # before the names of figures that do not compare with those of later rows


class MetricsLog:
    """Rows of numbers by step; on resumption, rows past the checkpoint's step are cut, so that none is there twice."""

    def __init__(self, path: Path, *, step: int, tensorboard: Path | None = None) -> None:
        rows = [row for row in read_metrics(path) if row["step"] <= step]
        write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
        self._file = path.open("a", encoding="utf-8")
        self._writer: Any = None
        if tensorboard is not None and importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(tensorboard), purge_step=step + 1)

    def write(self, row: dict[str, float]) -> None:
        """Append a row; it must have `step`."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in row.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def supersede_figures(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Put rows of newly measured figures into a log at their steps; those before stay under names of their own."""
    old = [
        {f"{EARLIER}{name}" if name == EVALUATED or name.startswith(FIGURE) else name: row[name] for name in row}
        for row in read_metrics(path)
    ]
    together = sorted([*old, *rows], key=lambda row: row["step"])
    write_text(path, "".join(json.dumps(row) + "\n" for row in together))


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a log; a last line that was cut short by a kill is left out."""
    rows: list[dict[str, float]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows
