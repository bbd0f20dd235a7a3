"""The files of a run, each written whole or not at all.

recipe.yaml      the resolved recipe: every value, defaults included
run.json         finished stages with their times, versions, measured values
metrics.jsonl    the training log
checkpoints/     what a resumed training needs
model/           the exported model: model.json, model.safetensors
samples/         manifest.json, one folder of sound files a class
classifier/      the classifier of the dataset's classes that evaluation listens with, where the recipe asks for one
evaluation/      results.json: what the metrics say of the samples
audit/           audit.json, audit.html: which generated clips are copies
report.html      the page to open
previous/        what an overridden stage had produced, never deleted by the program
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genaudio.core.errors import RunError
from genaudio.core.files import write_json

FORMAT = 1


class RunDirectory:
    """The paths of a run and the record of its stages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.record = path / "run.json"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.samples = path / "samples"
        self.classifier = path / "classifier"
        self.evaluation = path / "evaluation"
        self.audit = path / "audit"
        self.report = path / "report.html"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; raises `RunError` if another process works in it."""
        from filelock import FileLock, Timeout

        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"run directory {self.path} is in use by another process",
                expected="one process a run",
                mend="wait for it, stop it, or choose another directory with --out",
            ) from None
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            yield
        finally:
            lock.release()

    def read(self) -> dict[str, Any]:
        """The record of the run; a fresh one where there is none."""
        if not self.record.exists():
            return {"format": FORMAT, "created": now(), "stages": {}}
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(
                f"{self.record} is not JSON: {error}",
                expected="the record of a run, as it was written",
                mend="restore it, or use another --out",
            ) from error
        if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("stages"), dict):
            raise RunError(f"{self.record} has an unknown format", expected=f"format {FORMAT}")
        return record

    def finished(self, stage: str) -> bool:
        """Whether a stage has ended well and what it made is still there."""
        made = {
            "train": self.model / "model.json",
            "sample": self.samples / "manifest.json",
            "evaluate": self.evaluation / "results.json",
            "audit": self.audit / "audit.json",
            "report": self.report,
        }
        return stage in self.read()["stages"] and made[stage].exists()

    def finish(self, stage: str, seconds: float, **facts: Any) -> None:
        """Record that a stage has ended well; `seconds` adds to what an interrupted try has taken."""
        record = self.read()
        earlier = record.get("interrupted", {}).pop(stage, 0.0)
        record["stages"][stage] = {"finished": now(), "seconds": round(seconds + earlier, 2), **facts}
        write_json(self.record, record)

    def interrupt(self, stage: str, seconds: float) -> None:
        """Record the time that an unfinished stage has taken so far."""
        record = self.read()
        times = record.setdefault("interrupted", {})
        times[stage] = round(times.get(stage, 0.0) + seconds, 2)
        write_json(self.record, record)

    def put_aside(self, stage: str, *paths: Path) -> None:
        """Move what a stage has produced into `previous/` and forget that the stage is done."""
        record = (
            self.read()
        )  # first: a kill in between leaves a stage that is done again, not one that is done and gone
        record["stages"].pop(stage, None)
        record.get("interrupted", {}).pop(stage, None)
        write_json(self.record, record)
        existing = [path for path in paths if path.exists()]
        if existing:
            target = self._new_folder(self.path / "previous")
            for path in existing:
                path.rename(target / path.name)
            if self.recipe.exists():
                shutil.copy(self.recipe, target / self.recipe.name)

    @staticmethod
    def _new_folder(root: Path) -> Path:
        root.mkdir(exist_ok=True)
        number = 1 + max((int(p.name) for p in root.iterdir() if p.name.isdigit()), default=0)
        folder = root / f"{number:03d}"
        folder.mkdir()
        return folder


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(
        f"run directory {path}: {error.strerror or error}",
        expected="a folder that can be written to",
        mend="choose another with --out",
    )


def now() -> str:
    """The present time, ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
