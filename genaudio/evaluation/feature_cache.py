"""The cache of features: what an embedding made of a clip, stored exactly, found by the clip's content.

    <cache>/features/<embedding>-<settings>-<n>.sqlite      a database for each embedding and its settings

The file's name holds a hash of everything else that features depend on (`feature_settings`): the embedding, its fields
and weights, rates, the code that computes, libraries, device. Within it, a clip is found by the SHA-256 of its content.
So nothing is ever stale: what changed has another key. Every row has a checksum, and a row that fails it does not
count. Processes may share a cache, and be killed: a transaction is there or it is not. A database that cannot be read
is left behind for one of the next number, since others may still have it open. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

VERSION = 1  # of the rows: raise it when what is stored of a clip, or how, changes
_PATIENCE = 60.0  # s to wait for another process's transaction
_AT_ONCE = 500  # keys of one query; SQLite takes 999 variables at least
_COLUMNS = "key, rows, features, log_probabilities, facts, checksum"
_TABLE = """CREATE TABLE IF NOT EXISTS clips (
    key TEXT PRIMARY KEY, rows INTEGER, features BLOB, log_probabilities BLOB, facts TEXT, checksum BLOB
)"""

_log = logging.getLogger("genaudio")


@dataclass(frozen=True, eq=False)
class Heard:
    """What is known of a clip: features (frames, dimensions), log-probabilities (classes,) or None, and its sound."""

    features: Tensor
    log_probabilities: Tensor | None
    sample_rate: int  # Hz, its own
    seconds: float
    peak: float  # the largest magnitude of a sample


class FeatureCache:
    """The features of one embedding and its settings below `folder`; for one thread.

    Where the folder cannot be used, a warning says so, and nothing is kept.
    """

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]) -> None:
        text = json.dumps({"rows": VERSION, **settings}, sort_keys=True)
        self._folder = folder / "features"
        self._stem = f"{re.sub(r'[^a-z0-9]+', '_', name)}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        self._number = 0
        self._database: sqlite3.Connection | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    @property
    def path(self) -> Path:
        """The database in use."""
        return self._folder / f"{self._stem}-{self._number}.sqlite"

    def keys(self) -> set[str]:
        """The keys that there are rows for."""
        return {str(key) for (key,) in self._query("SELECT key FROM clips")}

    def get(self, keys: Iterable[str]) -> dict[str, Heard]:
        """What is known of these clips; a damaged row is left out."""
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            for row in self._query(f"SELECT {_COLUMNS} FROM clips WHERE key IN ({marks})", some):
                heard = _decoded(row)
                if heard is not None:
                    found[str(row[0])] = heard
        return found

    def put(self, heard: Mapping[str, Heard]) -> None:
        """Store clips in one transaction."""
        if self._database is None or not heard:
            return
        rows = [_encoded(key, one) for key, one in heard.items()]
        try:
            self._write(rows)
        except sqlite3.Error as error:
            if not _damaged(error):
                self._give_up(error)
                return
            self._renew(error)
            try:
                self._write(rows)
            except sqlite3.Error as again:
                self._give_up(again)

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> None:
        """The database of the highest number; the next one if that is damaged."""
        numbers = [int(path.stem.rpartition("-")[2]) for path in self._folder.glob(f"{self._stem}-*.sqlite")]
        self._number = max([*numbers, self._number])
        self._database = sqlite3.connect(self.path, timeout=_PATIENCE)
        try:
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._database:
                self._database.execute(_TABLE)
        except sqlite3.Error as error:
            if not _damaged(error):
                raise
            self._renew(error)

    def _renew(self, error: sqlite3.Error) -> None:
        """Leave a damaged database for the next; its own file goes, but never its name to another."""
        _log.warning("the cache %s is damaged (%s); its features are computed again", self.path, error)
        self.close()
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + "-journal").unlink(missing_ok=True)
        self._number += 1
        self._open()

    def _give_up(self, error: Exception) -> None:
        _log.warning("the cache %s cannot be used (%s); features are not kept", self.path, error)
        self.close()

    def _query(self, command: str, values: Iterable[str] = ()) -> list[tuple[Any, ...]]:
        if self._database is None:
            return []
        try:
            return self._database.execute(command, list(values)).fetchall()
        except sqlite3.Error as error:
            try:
                if not _damaged(error):
                    raise
                self._renew(error)
            except (OSError, sqlite3.Error) as again:
                self._give_up(again)
            return []

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        if self._database is not None:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?)", rows)


def _damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is bad, or its table another than ours; not a full disk, or a process that takes long."""
    code = getattr(error, "sqlite_errorcode", 0)
    bad = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
    return code & 0xFF in bad or code == sqlite3.SQLITE_IOERR_SHORT_READ


def _encoded(key: str, heard: Heard) -> tuple[Any, ...]:
    facts = json.dumps([heard.sample_rate, heard.seconds, heard.peak])
    log_probabilities = None if heard.log_probabilities is None else _bytes(heard.log_probabilities)
    row = (key, len(heard.features), _bytes(heard.features), log_probabilities, facts)
    return (*row, _checksum(row))


def _decoded(row: tuple[Any, ...]) -> Heard | None:
    key, rows, features, log_probabilities, facts, checksum = row
    try:
        if _checksum((key, rows, features, log_probabilities, facts)) != checksum:
            return None
        rate, seconds, peak = json.loads(facts)
        heard = _tensor(features).reshape(rows, -1)
        return Heard(heard, None if log_probabilities is None else _tensor(log_probabilities), rate, seconds, peak)
    except (TypeError, ValueError, RuntimeError):  # a row that somebody else wrote
        return None


def _checksum(row: tuple[Any, ...]) -> bytes:
    key, rows, features, log_probabilities, facts = row
    digest = hashlib.blake2b(f"{key} {rows} {facts} {log_probabilities is None}\n".encode(), digest_size=16)
    digest.update(features)
    digest.update(log_probabilities or b"")
    return digest.digest()


def _bytes(values: Tensor) -> bytes:
    """Little-endian float64."""
    data: bytes = values.detach().to("cpu", torch.float64).contiguous().numpy().astype("<f8", copy=False).tobytes()
    return data


def _tensor(data: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, dtype="<f8").astype(np.float64))
