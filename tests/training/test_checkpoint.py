from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from genaudio.core.errors import RunError
from genaudio.training.checkpoint import checkpoint_at, load_average, newest_checkpoint, restore, save_checkpoint


def trained(steps: int = 3, width: int = 4) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Conv2d(3, width, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(steps):
        model(torch.randn(2, 3, 8, 8)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


def save(root, step, keep=5):
    model, optimizer = trained(step)
    save_checkpoint(root, step, model, model, optimizer, log={"losses": [0.25]}, keep=keep)
    return model, optimizer


def test_restored_training_goes_on_exactly(tmp_path):
    model, optimizer = save(tmp_path, 3)
    fresh, fresh_optimizer = trained(0)
    checkpoint, damaged = newest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert (checkpoint.step, checkpoint.manifest["log"], damaged) == (3, {"losses": [0.25]}, [])
    restore(checkpoint, fresh, fresh, fresh_optimizer, torch.device("cpu"))
    x = torch.randn(2, 3, 8, 8)
    for m, o in ((model, optimizer), (fresh, fresh_optimizer)):
        m(x).square().mean().backward()
        o.step()
    for one, other in zip(model.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)


def test_only_the_newest_are_kept(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, harm):
    save(tmp_path, 1)
    save(tmp_path, 2)
    weights = tmp_path / "step-00000002" / "weights.safetensors"
    if harm == "flip":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
    elif harm == "truncate":
        weights.write_bytes(weights.read_bytes()[:-4])
    elif harm == "remove":
        weights.unlink()
    else:
        (tmp_path / "step-00000002" / "manifest.json").write_text("{")
    checkpoint, damaged = newest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == 1
    assert len(damaged) == 1
    assert "step-00000002" in damaged[0]


def test_no_folder_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path / "none") == (None, [])


def test_weights_of_another_network_are_refused(tmp_path):
    save(tmp_path, 1)
    other, optimizer = trained(0, width=5)
    checkpoint, _ = newest_checkpoint(tmp_path)
    assert checkpoint is not None
    with pytest.raises(RunError, match=r"step-00000001 does not fit the model of this recipe"):
        restore(checkpoint, other, other, optimizer, torch.device("cpu"))


def test_the_manifest_holds_a_hash_of_every_file(tmp_path):
    save(tmp_path, 1)
    folder = tmp_path / "step-00000001"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["sha256"]) == {p.name for p in folder.glob("*.safetensors")}


def test_a_checkpoint_is_found_by_its_step(tmp_path):
    models = {step: save(tmp_path, step)[0] for step in (2, 3)}
    fresh, _ = trained(0)
    load_average(checkpoint_at(tmp_path, 2), fresh)
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), models[2].parameters(), strict=True))
    with pytest.raises(
        RunError, match=r"no checkpoint of step 4\n\s+expected  one of 2, 3\n\s+mend .*keep_checkpoints"
    ):
        checkpoint_at(tmp_path, 4)
    with pytest.raises(RunError, match="a run that has saved checkpoints"):
        checkpoint_at(tmp_path / "nothing", 4)
    (tmp_path / "step-00000003/ema.safetensors").write_bytes(b"x")
    with pytest.raises(RunError, match=r"step-00000003 is damaged \(ema\.safetensors differ"):
        checkpoint_at(tmp_path, 3)


def test_averaged_weights_of_another_network_are_refused(tmp_path):
    save(tmp_path, 1)
    other, _ = trained(0, width=5)
    with pytest.raises(RunError, match="does not fit the model of this run"):
        load_average(checkpoint_at(tmp_path, 1), other)
