from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.weights.published import PublishedWeights, fill, read_weights, weights_file
from tests.evaluation.embeddings.weights.conftest import Malice


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"a.weight": torch.randn(3, 4, generator=generator), "a.bias": torch.randn(3, generator=generator)}


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def test_every_format_gives_the_same_tensors(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": state, "iteration": 600000}, tmp_path / "checkpoint.pth")
    save_file(state, tmp_path / "plain.safetensors")
    for name in ("zip.pth", "legacy.pth", "checkpoint.pth", "plain.safetensors"):
        assert same(read_weights(tmp_path / name), state)


@pytest.mark.parametrize("core", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_what_numpy_left_in_a_checkpoint_is_passed_over(
    core: bytes, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """Training checkpoints hold indices of clips and losses; today's NumPy and that of 2019 name their makers apart."""
    path = tmp_path / "checkpoint.pth"
    beside = {"indexes": np.arange(5), "classes": [np.arange(2), np.arange(3)], "loss": np.float64(0.5), "none": None}
    torch.save({"sampler": beside, "model": state}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", core))
    assert same(read_weights(path), state)
    with pytest.raises(Exception, match="Weights only load failed"):  # what was let through was let through once
        torch.load(path, weights_only=True)


def test_nothing_in_a_file_is_run(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({"model": state, "bomb": Malice(tmp_path / "run")}, tmp_path / "bad.pth")
    with pytest.raises(GenaudioError, match=r"bad.pth cannot be read as weights: .*\n.*safetensors"):
        read_weights(tmp_path / "bad.pth")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_cut_short_or_no_weights_at_all_is_refused(
    suffix: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / f"weights.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    for damaged in (path.read_bytes()[:-40], b"", b"<html>not found</html>"):
        path.write_bytes(damaged)
        with pytest.raises(GenaudioError, match="cannot be read as weights"):
            read_weights(path)


def test_a_file_without_tensors_by_name_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    for name in ("list.pth", "numbers.pth"):
        with pytest.raises(GenaudioError, match="holds no tensors by name"):
            read_weights(tmp_path / name)


def network() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Conv1d(1, 2, 3, bias=False), nn.BatchNorm1d(2))


def test_a_network_is_filled_in_float32_and_for_inference() -> None:
    weights = {f"1.{name}": torch.rand(2).half() for name in ("weight", "bias", "running_mean", "running_var")}
    filled = network()
    fill(filled, {"0.weight": torch.rand(2, 1, 3).double(), **weights}, "a file")
    assert {value.dtype for name, value in filled.state_dict().items() if "num" not in name} == {torch.float32}
    assert not filled.training
    assert not any(value.requires_grad for value in filled.parameters())
    assert filled(torch.rand(1, 1, 8)).shape == (1, 2, 6)
    assert torch.equal(filled.state_dict()["1.running_var"], weights["1.running_var"].float())


def test_weights_that_do_not_fit_are_named() -> None:
    weights = {"0.weight": torch.zeros(2, 1, 5), "1.weight": torch.zeros(2), "2.bias": torch.zeros(1)}
    with pytest.raises(GenaudioError) as caught:
        fill(network(), weights, "a file")
    text = str(caught.value)
    assert "a file lacks 1.bias, 1.running_mean, 1.running_var; has too much: 2.bias; " in text
    assert "has other shapes: 0.weight (2, 1, 5) for (2, 1, 3)" in text
    assert "expected  the 5 tensors of Sequential" in text
    with pytest.raises(GenaudioError, match=r"has too much: x0, x1, x2, x3 and 2 more"):
        fill(nn.Sequential(), {f"x{number}": torch.zeros(1) for number in range(6)}, "a file")


def test_published_weights_are_fetched_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    source = tmp_path / "Net_mAP=0.4.pth"
    source.write_bytes(b"weights")
    url = source.as_uri()
    assert "%3D" in url
    digest = hashlib.sha256(b"weights").hexdigest()
    published = PublishedWeights(url, digest[:8])
    path = published.file()
    assert path == tmp_path / "hub" / "checkpoints" / "Net_mAP=0.4.pth"
    source.unlink()
    assert weights_file(None, published) == path
    path.write_bytes(b"other")
    with pytest.raises(GenaudioError, match=rf"one that begins with {digest[:8]}\s+mend      delete the file"):
        published.file()


def test_a_download_that_fails_or_is_another_file_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    url = "http://127.0.0.1:9/net.pth"  # nothing listens there
    with pytest.raises(GenaudioError, match=rf"net.pth cannot be downloaded: .*refused[\s\S]*download {url}"):
        weights_file(None, PublishedWeights(url))
    (tmp_path / "net.pth").write_bytes(b"another file")
    with pytest.raises(GenaudioError, match="cannot be downloaded: invalid hash"):
        weights_file(None, PublishedWeights((tmp_path / "net.pth").as_uri(), "0000"))
    assert list((tmp_path / "hub" / "checkpoints").iterdir()) == []


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenaudioError, match=r"no weights file .*absent.pth[\s\S]*download https://example.org/x.pth"):
        weights_file(str(tmp_path / "absent.pth"), PublishedWeights("https://example.org/x.pth"))
    (tmp_path / "here.pth").touch()
    assert weights_file(str(tmp_path / "here.pth"), PublishedWeights("x")) == tmp_path / "here.pth"
