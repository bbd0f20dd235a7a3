"""The cache of features: exact, and safe against damage, kills and other processes."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
import torch

from genaudio.evaluation.feature_cache import FeatureCache, Heard

SETTINGS = {"embedding": "test", "rate": 16000}


def heard(seed: int = 0, frames: int = 3, classes: bool = True) -> Heard:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(frames, 5, dtype=torch.float64, generator=generator) * 1e-300  # subnormal digits too
    logs = torch.randn(4, dtype=torch.float64, generator=generator).log_softmax(-1) if classes else None
    return Heard(features, logs, 44100, 1.25 + seed, 0.1)


def equal(one: Heard, other: Heard) -> bool:
    logs = (one.log_probabilities, other.log_probabilities)
    return (
        torch.equal(one.features, other.features)
        and (logs[0] is logs[1] or torch.equal(*logs))
        and (one.sample_rate, one.seconds, one.peak) == (other.sample_rate, other.seconds, other.peak)
    )


@pytest.fixture
def cache(tmp_path):
    cache = FeatureCache(tmp_path, "acme/test", SETTINGS)
    yield cache
    cache.close()


def again(tmp_path, settings=SETTINGS) -> FeatureCache:
    return FeatureCache(tmp_path, "acme/test", settings)


def test_what_is_stored_comes_back_to_the_last_bit(cache, tmp_path):
    stored = {str(n): heard(n, frames=1 + n % 3, classes=n % 2 == 0) for n in range(1200)}
    stored["infinite"] = Heard(torch.ones(1, 5).double(), torch.tensor([0.0, -torch.inf]).double(), 1, 0.0, 0.0)
    cache.put(stored)
    cache.close()
    other = again(tmp_path)
    found = other.get(stored)
    assert other.keys() == set(stored) == set(found)
    assert all(equal(found[key], stored[key]) for key in stored)
    assert other.get(["unknown"]) == {}
    other.close()


def test_other_settings_are_another_cache(cache, tmp_path):
    cache.put({"a": heard()})
    other = again(tmp_path, {**SETTINGS, "rate": 8000})
    assert other.keys() == set()
    assert other.path != cache.path
    other.close()


def test_a_row_that_was_changed_does_not_count(cache):
    cache.put({"a": heard(1), "b": heard(2), "c": heard(3), "d": heard(4)})
    with sqlite3.connect(cache.path) as database:
        blob = bytearray(database.execute("SELECT features FROM clips WHERE key = 'a'").fetchone()[0])
        blob[7] ^= 1
        database.execute("UPDATE clips SET features = ? WHERE key = 'a'", (bytes(blob),))
        database.execute("UPDATE clips SET facts = '[1, 2, 3]' WHERE key = 'b'")
        database.execute("UPDATE clips SET features = NULL, rows = 'x' WHERE key = 'c'")
    database.close()
    assert set(cache.get("abcd")) == {"d"}
    cache.put({"a": heard(1)})
    assert equal(cache.get("a")["a"], heard(1))


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "other table", "half a header"])
def test_a_damaged_file_is_left_for_a_new_one(cache, tmp_path, damage, caplog):
    cache.put({str(n): heard(n) for n in range(200)})
    path = cache.path
    cache.close()
    data = path.read_bytes()
    if damage == "other table":
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE clips (key TEXT)")
            database.execute("INSERT INTO clips VALUES ('5')")
        database.close()
    else:
        parts = {
            "truncated": data[: len(data) // 2],
            "garbage": b"garbage " * 2000,
            "empty": b"",
            "half a header": data[:50],
        }
        path.write_bytes(parts[damage])
    with caplog.at_level(logging.WARNING):
        other = again(tmp_path)
        usable = other.get(other.keys())
        assert all(equal(one, heard(int(key))) for key, one in usable.items())
        other.put({"new": heard(7)})
    assert equal(other.get(["new"])["new"], heard(7))
    other.close()
    later = again(tmp_path)
    assert later.keys() >= {"new"}
    later.close()
    assert ("damaged" in caplog.text) == (damage != "empty")


def test_damage_while_it_is_open(cache, tmp_path, caplog):
    cache.put({str(n): heard(n) for n in range(500)})
    first = cache.path
    with first.open("r+b") as file:
        file.truncate(8192)
    with caplog.at_level(logging.WARNING):
        found = cache.get(str(n) for n in range(500))
        assert all(equal(one, heard(int(key))) for key, one in found.items())
        cache.put({"new": heard(1)})
    assert equal(cache.get(["new"])["new"], heard(1))


def test_a_process_that_holds_the_damaged_file_comes_over(cache, tmp_path):
    """Two open the same file; one finds it damaged and goes on with the next, and then so does the other."""
    cache.put({"a": heard(1)})
    other = again(tmp_path)
    first = cache.path
    cache._renew(sqlite3.DatabaseError("as if damaged"))
    cache.put({"b": heard(2)})
    other.put({"c": heard(3)})  # into the file that was let go
    assert cache.path != first == other.path
    other._renew(sqlite3.DatabaseError("as if damaged"))
    assert other.path == cache.path
    assert equal(other.get("b")["b"], heard(2))
    assert cache.keys() == {"b"}
    other.close()


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path, caplog):
    (tmp_path / "features").write_text("a file, not a folder")
    with caplog.at_level(logging.WARNING):
        cache = again(tmp_path)
    assert "features are not kept" in caplog.text
    cache.put({"a": heard()})
    assert (cache.keys(), cache.get(["a"])) == (set(), {})
    cache.close()


KILLED = """
import sys, torch
from pathlib import Path
from genaudio.evaluation.feature_cache import FeatureCache, Heard
cache = FeatureCache(Path(sys.argv[1]), "acme/test", {"embedding": "test", "rate": 16000})
number = 0
while True:
    rows = {n: torch.full((50, 100), float(n)).double() for n in range(number, number + 64)}
    cache.put({str(n): Heard(features, None, 1, 1.0, 1.0) for n, features in rows.items()})
    number += 64
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_kill_loses_no_more_than_the_last_transaction(tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGKILL)
    cache = again(tmp_path)
    found = cache.get(cache.keys())
    cache.close()
    assert len(found) >= told[-1]
    assert len(found) % 64 == 0
    assert all(torch.equal(one.features, torch.full((50, 100), float(key)).double()) for key, one in found.items())


FILL = """
import sys, torch
from pathlib import Path
from genaudio.evaluation.feature_cache import FeatureCache, Heard
cache = FeatureCache(Path(sys.argv[1]), "acme/test", {{"embedding": "test", "rate": 16000}})
for start in range({first}, 200, 10):
    cache.put({{str(n): Heard(torch.ones(2, 5).double(), None, 1, float(n), 1.0) for n in range(start, start + 10)}})
cache.close()
"""


def test_processes_write_at_the_same_time(tmp_path):
    fillers = [
        subprocess.Popen([sys.executable, "-c", FILL.format(first=first), str(tmp_path)]) for first in (0, 50, 100)
    ]
    assert [filler.wait(timeout=120) for filler in fillers] == [0, 0, 0]
    cache = again(tmp_path)
    found = cache.get(cache.keys())
    assert len(found) == 200
    assert all(one.seconds == float(key) for key, one in found.items())
    cache.close()
