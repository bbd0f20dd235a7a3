"""A network and its card: what is read is what was written, and nothing else passes for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from genaudio.core.errors import GenaudioError
from genaudio.core.files import sha256
from genaudio.evaluation.carded_network import load_network, save_network


def build(card: Mapping[str, Any]) -> nn.Linear:
    return nn.Linear(card["width"], 2)


def load(folder: Path, version: int = 3) -> tuple[nn.Linear, dict[str, Any]]:
    return load_network(build, folder, "line", version, "write it again")


@pytest.fixture
def line(tmp_path: Path) -> nn.Linear:
    network = nn.Linear(4, 2)
    save_network(network, tmp_path, "line", 3, {"width": 4, "facts": {"from": "a test"}})
    return network


def test_what_was_written_is_read_and_no_randomness_is_used_up(line: nn.Linear, tmp_path: Path) -> None:
    torch.manual_seed(5)
    found, card = load(tmp_path)
    after = torch.randn(1)
    torch.manual_seed(5)
    assert after.equal(torch.randn(1))
    assert found.weight.equal(line.weight)
    assert not found.training
    assert card == {
        "format": 3,
        "sha256": sha256(tmp_path / "line.safetensors"),
        "width": 4,
        "facts": {"from": "a test"},
    }


def test_what_does_not_belong_together_is_refused(line: nn.Linear, tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match="has the format 3") as raised:
        load(tmp_path, version=4)
    assert raised.value.problems[0].mend == "write it again"
    card, weights = tmp_path / "line.json", tmp_path / "line.safetensors"
    good, facts = weights.read_bytes(), json.loads(card.read_text())
    weights.write_bytes(good[:-1] + b"\0")
    with pytest.raises(GenaudioError, match=r"has the SHA-256 .*…"):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(GenaudioError, match=r"line\.safetensors cannot be read"):
        load(tmp_path)
    weights.write_bytes(good)
    card.write_text(json.dumps(facts | {"width": 5}))
    with pytest.raises(GenaudioError, match=r"(?s)line\.safetensors cannot be read: .*size mismatch"):
        load(tmp_path)
    for text in ("[]", "{", json.dumps({"format": 3, "sha256": "0"})):
        card.write_text(text)
        with pytest.raises(GenaudioError, match=r"line\.json cannot be read"):
            load(tmp_path)
