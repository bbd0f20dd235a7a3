"""LAION's files: they give what the same weights give in a folder of transformers, and what is none is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.clap import CLAP
from genaudio.evaluation.embeddings.weights.laion_checkpoint import load_laion
from genaudio.evaluation.measuring import embedding_card
from tests.evaluation.embeddings.weights.conftest import Malice

TEXTS = ["rain", "a dog barks at a passing car, again and again"]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "fusion"])
def pair(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    clap_model: Callable[..., Any],
    save_clap: Callable[..., Path],
    laion_state: Callable[..., dict[str, torch.Tensor]],
) -> tuple[Path, Path]:
    """A folder of transformers' and a file of LAION's with the same weights."""
    root = tmp_path_factory.mktemp("pair")
    folder = save_clap(root / "folder", fusion=request.param)
    checkpoint = {
        "epoch": 15,
        "name": "trained",
        "state_dict": laion_state(clap_model(fusion=request.param)),
        "optimizer": {"param_groups": [{"lr": np.float64(1e-4)}], "state": {0: {"step": torch.tensor(3.0)}}},
        "top": {"mAP": np.float32(0.9), "rank": np.int64(3)},
    }
    torch.save(checkpoint, root / "trained.pt")
    return folder, root / "trained.pt"


def test_a_file_of_laions_hears_and_reads_as_the_folder_does(pair: tuple[Path, Path], clips: torch.Tensor) -> None:
    folder, file = pair
    ours = CLAP(weights=str(file), tokenizer=str(folder))
    theirs = CLAP(weights=str(folder))
    assert ours.features(clips).numpy() == pytest.approx(theirs.features(clips).numpy(), abs=1e-6)
    assert ours.text_features(TEXTS).numpy() == pytest.approx(theirs.text_features(TEXTS).numpy(), abs=1e-6)


def test_the_card_holds_the_hash_of_the_file(pair: tuple[Path, Path]) -> None:
    _, file = pair
    card = embedding_card(CLAP(weights=str(file), hop=5.0), "clap")
    assert card["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (card["embedding_sample_rate"], card["frame_window"], card["frame_hop"]) == (48000, 10.0, 5.0)
    assert card["embedding_fields"]["padding"] == "repeatpad"


@pytest.fixture
def state(clap_model: Callable[..., Any], laion_state: Callable[..., dict[str, torch.Tensor]]) -> dict[str, Any]:
    return laion_state(clap_model())


def test_the_weights_alone_in_half_precision_or_in_the_format_of_before_2020_are_read_too(
    state: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "alone.pt")
    torch.save({"state_dict": state}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    torch.save({"state_dict": half}, tmp_path / "half.pt")
    alone, old, rounded = (load_laion(tmp_path / name).state_dict() for name in ("alone.pt", "old.pt", "half.pt"))
    assert all(torch.equal(old[name], value) for name, value in alone.items())
    name = "audio_projection.linear1.weight"
    assert rounded[name].dtype == torch.float32
    assert torch.equal(rounded[name], alone[name].half().float())


def test_sizes_are_read_off_the_weights(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": state}, tmp_path / "clap.pt")
    model: Any = load_laion(tmp_path / "clap.pt")
    audio, text = model.config.audio_config, model.config.text_config
    assert (list(audio.depths), list(audio.num_attention_heads)) == ([2, 2, 2], [2, 2, 4])
    assert (audio.window_size, audio.patch_size, audio.hidden_size, audio.enable_fusion) == (8, 4, 32, False)
    assert (text.num_hidden_layers, text.num_attention_heads, text.intermediate_size) == (2, 2, 64)
    assert not model.training


def test_a_file_that_would_run_something_is_refused_and_not_run(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": state, "epoch": Malice(tmp_path / "was here")}, tmp_path / "malice.pt")
    with pytest.raises(GenaudioError, match=r"malice\.pt cannot be read: .*\n.*nothing in it but weights and numbers"):
        load_laion(tmp_path / "malice.pt")
    assert not (tmp_path / "was here").exists()


def test_broken_files_are_named(state: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "clap.pt"
    torch.save({"state_dict": state}, path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"<html>not found</html>"):
        path.write_bytes(broken)
        with pytest.raises(GenaudioError, match=r"clap\.pt cannot be read: (?s:.*)mend      fetch the file again"):
            CLAP(weights=str(path)).features(torch.zeros(1, 1, 48000))
    with pytest.raises(GenaudioError, match=r"gone\.pt': no such file\n    expected  a checkpoint of LAION's CLAP"):
        CLAP(weights=str(tmp_path / "gone.pt")).features(torch.zeros(1, 1, 48000))


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("audio_branch.bn0.weight", "audio_branch.bn0.weight"),
        ("audio_branch.norm.weight", "audio_model.audio_encoder.norm.weight"),
        ("text_projection.0.bias", "text_projection.linear1.bias"),
    ],
)
def test_a_weight_that_is_missing_is_named(state: dict[str, Any], tmp_path: Path, lost: str, named: str) -> None:
    del state[f"module.{lost}"]
    torch.save({"state_dict": state}, tmp_path / "clap.pt")
    with pytest.raises(GenaudioError, match=f"is not a checkpoint of LAION's CLAP: lacks {named}"):
        load_laion(tmp_path / "clap.pt")


def test_a_tower_that_is_missing_is_named(state: dict[str, Any], tmp_path: Path) -> None:
    text = {name: value for name, value in state.items() if ".layers." not in name}
    torch.save({"state_dict": text}, tmp_path / "clap.pt")
    with pytest.raises(GenaudioError, match=r"lacks audio_branch\.layers\.0"):
        load_laion(tmp_path / "clap.pt")


def test_weights_that_have_no_place_or_another_shape_are_named(state: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "clap.pt"
    torch.save({"state_dict": state | {"module.audio_branch.mel_conv1d.0.weight": torch.zeros(3)}}, path)
    with pytest.raises(GenaudioError, match=r"holds audio_model\.audio_encoder\.mel_conv1d\S+, which has no place"):
        load_laion(path)
    torch.save({"state_dict": state | {"module.audio_branch.norm.weight": torch.zeros(7)}}, path)
    with pytest.raises(GenaudioError, match=r"CLAP: size mismatch for audio_model\.audio_encoder\.norm\.weight"):
        load_laion(path)
    torch.save({"state_dict": {"layer.weight": torch.zeros(3)}}, path)
    with pytest.raises(GenaudioError, match="holds no weights named audio_branch"):
        load_laion(path)


def test_texts_need_a_tokenizer_that_the_file_does_not_hold(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": state}, tmp_path / "clap.pt")
    (tmp_path / "empty").mkdir()
    embedding = CLAP(weights=str(tmp_path / "clap.pt"), tokenizer=str(tmp_path / "empty"))
    with pytest.raises(GenaudioError, match=r"empty has no tokenizer(?s:.*)give their folder as `tokenizer`"):
        embedding.text_features(TEXTS)
