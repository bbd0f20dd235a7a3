"""Checkpoints in Hugging Face's format: what is loaded, what is hashed, and what each broken one is called."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.clip_features import clip_features
from genaudio.evaluation.clip_set import ClipSet
from genaudio.evaluation.embeddings.encodec import EnCodec
from genaudio.evaluation.embeddings.weights.huggingface import find_checkpoint, in_parts, quiet
from genaudio.evaluation.feature_set import FeatureSet
from genaudio.evaluation.measuring import embedding_card
from tests.evaluation.embeddings.weights.conftest import Malice

CLIP = 0.1 * torch.randn(1, 1, 3200, generator=torch.Generator().manual_seed(1))


def model() -> Any:
    torch.manual_seed(0)
    return transformers.EncodecModel(transformers.EncodecConfig(num_filters=4, hidden_size=16, codebook_size=16)).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model().save_pretrained(tmp_path / "codec")
    return tmp_path / "codec"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_card_holds_the_hash_of_the_file_that_is_loaded(folder: Path) -> None:
    embedding = EnCodec(weights=str(folder))
    card = embedding_card(embedding, "encodec")
    assert card["weights_sha256"] == digest(folder / "model.safetensors")
    assert (card["embedding_sample_rate"], card["frame_hop"]) == (24000, 320 / 24000)


def test_weights_in_several_files_are_hashed_together_and_give_the_same_features(folder: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    model().save_pretrained(parts, max_shard_size="50KB")
    files = sorted(parts.glob("model-*.safetensors"))
    assert len(files) > 1
    embedding = EnCodec(weights=str(parts))
    text = "\n".join(digest(path) for path in files)
    assert embedding.weights_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert torch.equal(embedding.features(CLIP), EnCodec(weights=str(folder)).features(CLIP))
    files[1].unlink()
    with pytest.raises(GenaudioError, match=f"lacks {files[1].name}"):
        EnCodec(weights=str(parts)).features(CLIP)


def test_a_checkpoint_of_before_safetensors_is_read_and_nothing_in_it_is_run(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(folder / "config.json", old)
    torch.save(load_file(folder / "model.safetensors"), old / "pytorch_model.bin")
    embedding = EnCodec(weights=str(old))
    assert torch.equal(embedding.features(CLIP), EnCodec(weights=str(folder)).features(CLIP))
    assert embedding.weights_sha256 == digest(old / "pytorch_model.bin")

    torch.save({"encoder": Malice(tmp_path / "was here")}, old / "pytorch_model.bin")
    with pytest.raises(GenaudioError, match="cannot be loaded"):
        EnCodec(weights=str(old)).features(CLIP)
    assert not (tmp_path / "was here").exists()


def test_weights_in_half_precision_are_computed_with_in_float32(folder: Path, tmp_path: Path) -> None:
    model().half().save_pretrained(tmp_path / "half")
    loaded = find_checkpoint(str(tmp_path / "half"), None, "encodec", "EncodecModel").load()
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    assert not loaded.training
    features = EnCodec(weights=str(tmp_path / "half")).features(CLIP)
    assert features.numpy() == pytest.approx(EnCodec(weights=str(folder)).features(CLIP).numpy(), abs=0.01)


def test_broken_checkpoints_are_named(folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GenaudioError, match=r"codec cannot be loaded: .*\n.*a whole checkpoint for EncodecModel"):
        EnCodec(weights=str(folder)).features(CLIP)

    weights.write_bytes(whole)
    tensors = load_file(weights)
    lost = sorted(name for name in tensors if name.startswith("encoder."))[0]
    save_file({name: value for name, value in tensors.items() if name != lost}, weights, {"format": "pt"})
    with pytest.raises(GenaudioError, match=r"codec lacks 1 weights of EncodecModel, encoder\.layers\.\S+ for one"):
        EnCodec(weights=str(folder)).features(CLIP)

    save_file(tensors | {lost: tensors[lost][:-1].clone()}, weights, {"format": "pt"})
    with pytest.raises(GenaudioError, match="codec cannot be loaded"):
        EnCodec(weights=str(folder)).features(CLIP)

    weights.unlink()
    with pytest.raises(GenaudioError, match=r"codec has no weights\n    expected  config.json and model.safetensors"):
        EnCodec(weights=str(folder)).features(CLIP)


def test_a_config_that_is_none_is_named(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"norm_type": "none"}))
    with pytest.raises(GenaudioError, match=r"config\.json: .*\n    expected  settings of EncodecModel"):
        EnCodec(weights=str(folder)).features(CLIP)
    (folder / "config.json").write_text("{")
    with pytest.raises(GenaudioError, match=r"config\.json cannot be read"):
        EnCodec(weights=str(folder)).features(CLIP)
    (folder / "config.json").unlink()
    with pytest.raises(GenaudioError, match=r"codec has no config\.json"):
        EnCodec(weights=str(folder)).features(CLIP)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, which may not reach the network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_repository_in_the_hubs_cache_needs_no_network(folder: Path, cache: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = cache / "models--acme--codec"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for revision in (None, "main", commit):
        embedding = EnCodec(weights="acme/codec", revision=revision)
        assert torch.equal(embedding.features(CLIP), EnCodec(weights=str(folder)).features(CLIP))
    with pytest.raises(GenaudioError, match="'acme/codec' is no folder here, and cannot be had"):
        EnCodec(weights="acme/codec", revision="v2").features(CLIP)


def test_a_repository_that_cannot_be_reached_is_an_error_with_a_mend(cache: Path) -> None:
    with pytest.raises(GenaudioError, match="cannot be had from the Hugging Face hub") as caught:
        EnCodec(weights="acme/nothing").features(CLIP)
    assert "copy the checkpoint here and give its folder" in str(caught.value)
    with pytest.raises(GenaudioError, match=r"weights 'no/such/folder': not there"):
        EnCodec(weights="no/such/folder").features(CLIP)


def test_without_transformers_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(GenaudioError, match=r"mend      pip install 'genaudio\[pretrained\]'"):
        EnCodec(weights=str(folder)).features(CLIP)


def test_nothing_is_printed_and_settings_of_transformers_are_put_back(folder: Path, capfd: Any) -> None:
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EnCodec(weights=str(folder)).features(CLIP)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    logging.disable_progress_bar()
    try:
        with quiet():
            pass
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.enable_progress_bar()


def test_parts_are_put_together_in_order_and_autocast_is_set_aside() -> None:
    sizes: list[int] = []

    def doubled(part: torch.Tensor) -> torch.Tensor:
        sizes.append(len(part))
        return part @ (2 * torch.eye(3))

    items = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        result = in_parts(doubled, items, 3)
    assert sizes == [3, 3, 1]
    assert result.dtype == torch.float64
    assert torch.equal(result, 2 * items.double())


def test_waveforms_of_another_shape_are_refused(folder: Path) -> None:
    with pytest.raises(GenaudioError, match=r"a waveform \(2, 3200\)\n    expected  \(batch, channels, time\)"):
        EnCodec(weights=str(folder)).features(torch.zeros(2, 3200))


def test_an_edited_config_is_another_hash_and_leaves_no_cached_feature(folder: Path, tmp_path: Path) -> None:
    """`normalize` moves no weight, but every feature."""

    def heard() -> FeatureSet:
        clips = ClipSet.of_waveforms(CLIP, 24000, [None])
        return clip_features(EnCodec(weights=str(folder)), "encodec", clips, cache=tmp_path / "cache")

    before = heard()
    settings = folder / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"normalize": True}))
    after = heard()
    assert after.card["weights_sha256"] == before.card["weights_sha256"]
    assert after.card["config_sha256"] != before.card["config_sha256"]
    assert torch.equal(after.features, EnCodec(weights=str(folder)).features(CLIP)[0])
    assert (after.features - before.features).abs().max() > 1e-3


def test_the_hash_of_a_config_is_of_names_and_content_and_of_nothing_that_is_not_read(folder: Path) -> None:
    expected = hashlib.sha256(f"{digest(folder / 'config.json')} config.json".encode()).hexdigest()
    assert EnCodec(weights=str(folder)).config_sha256 == expected
    (folder / "README.md").write_text("a codec")
    assert EnCodec(weights=str(folder)).config_sha256 == expected
    (folder / "preprocessor_config.json").write_text("{}")
    assert EnCodec(weights=str(folder)).config_sha256 != expected
