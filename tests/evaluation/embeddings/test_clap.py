"""CLAP on small random checkpoints that transformers wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.clap import CLAP
from tests.evaluation.embeddings.conftest import channels_averaged, heard_alike_alone

TEXTS = ["rain", "a dog barks at a passing car, again and again", "é"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, save_clap: Callable[..., Path]) -> Path:
    return save_clap(tmp_path_factory.mktemp("clap"))


def heard_by_transformers(folder: Path, clips: torch.Tensor, **settings: Any) -> np.ndarray:
    """Its own feature extractor and model, `is_longer` as it is: false."""
    model = transformers.ClapModel.from_pretrained(folder).eval()
    extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
    inputs = extractor([clip[0].numpy() for clip in clips], sampling_rate=48000, return_tensors="pt", **settings)
    with torch.no_grad():
        features = model.get_audio_features(inputs.input_features.float(), torch.zeros(len(clips), 1))
    return features.pooler_output.numpy()


@pytest.mark.parametrize(("padding", "theirs"), [("repeatpad", "repeatpad"), ("repeat", "repeat"), ("silence", "pad")])
def test_each_padding_is_that_of_transformers(folder: Path, clips: torch.Tensor, padding: Any, theirs: str) -> None:
    ours = CLAP(weights=str(folder), padding=padding).features(clips)
    assert ours.shape == (2, 1, 24)
    assert ours.dtype == torch.float64
    assert ours[:, 0].numpy() == pytest.approx(heard_by_transformers(folder, clips, padding=theirs), abs=1e-5)


def test_paddings_differ(folder: Path, clips: torch.Tensor) -> None:
    one, two, three = (
        CLAP(weights=str(folder), padding=padding).features(clips) for padding in ("repeatpad", "repeat", "silence")
    )
    assert min((one - two).abs().max(), (two - three).abs().max(), (one - three).abs().max()) > 1e-3


def test_a_model_with_fusion_hears_its_own_front_end_and_never_fuses(
    tmp_path: Path, clips: torch.Tensor, save_clap: Callable[..., Path]
) -> None:
    folder = save_clap(tmp_path, fusion=True)
    ours = CLAP(weights=str(folder)).features(clips)[:, 0]
    assert ours.numpy() == pytest.approx(heard_by_transformers(folder, clips), abs=1e-5)


def test_the_band_of_the_mel_filters_is_the_folders(
    tmp_path: Path, clips: torch.Tensor, save_clap: Callable[..., Path]
) -> None:
    folder = save_clap(tmp_path, frequency_min=0, frequency_max=12000)
    ours = CLAP(weights=str(folder)).features(clips)[:, 0]
    assert ours.numpy() == pytest.approx(heard_by_transformers(folder, clips), abs=1e-5)


def test_windows_are_heard_as_clips_of_their_own(folder: Path, clips: torch.Tensor) -> None:
    embedding = CLAP(weights=str(folder), window=1.0, hop=0.8)
    features = embedding.features(clips[..., : 48000 * 5 // 2])
    starts = (0, 38400, 72000)  # the last one flush with the end
    expected = torch.cat([embedding.features(clips[..., start : start + 48000]) for start in starts], 1)
    assert features.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    assert (features[:, 1] - features[:, 0]).abs().max() > 1e-3
    assert (embedding.sample_rate, embedding.frame_window, embedding.frame_hop) == (48000, 1.0, 0.8)


@pytest.mark.parametrize("fusion", [False, True])
def test_long_clips_are_heard_whole_and_nothing_is_drawn(
    tmp_path: Path, clips: torch.Tensor, fusion: bool, save_clap: Callable[..., Path]
) -> None:
    embedding = CLAP(weights=str(save_clap(tmp_path, fusion=fusion)))
    long = clips[:1].repeat(1, 1, 4)  # 12 s
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - what transformers would draw from
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = embedding.features(long)
    assert torch.initial_seed() == 1
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert torch.equal(first, embedding.features(long))
    parts = [embedding.features(long[..., :480000]), embedding.features(long[..., -480000:])]
    assert first.numpy() == pytest.approx(torch.cat(parts, 1).numpy(), abs=1e-5)


def test_a_clip_has_the_same_features_alone_and_in_a_batch(folder: Path, clips: torch.Tensor) -> None:
    embedding = CLAP(weights=str(folder), window=2.0, hop=0.25)
    heard_alike_alone(embedding, clips, atol=1e-5)


def test_channels_are_averaged_and_features_have_length_1(folder: Path, clips: torch.Tensor) -> None:
    embedding = CLAP(weights=str(folder))
    channels_averaged(embedding, clips, atol=1e-4)
    assert embedding.features(clips).norm(dim=-1).numpy() == pytest.approx(1, abs=1e-12)


def test_texts_are_read_as_transformers_reads_them_whatever_stands_beside_them(folder: Path) -> None:
    embedding = CLAP(weights=str(folder))
    features = embedding.text_features(TEXTS)
    model = transformers.ClapModel.from_pretrained(folder).eval()
    tokenizer = transformers.RobertaTokenizer.from_pretrained(folder)
    with torch.no_grad():
        expected = torch.cat(
            [model.get_text_features(**tokenizer(text, return_tensors="pt")).pooler_output for text in TEXTS]
        )
    assert features.dtype == torch.float64
    assert features.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    assert features.norm(dim=-1).numpy() == pytest.approx(1, abs=1e-12)
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_a_long_text_is_cut_after_77_tokens(folder: Path) -> None:
    cut, long = CLAP(weights=str(folder)).text_features(["a" * 75, "a" * 500])
    assert cut.numpy() == pytest.approx(long.numpy(), abs=1e-5)


def test_one_text_instead_of_a_list_is_refused(folder: Path) -> None:
    for texts in ("rain", []):
        with pytest.raises(GenaudioError, match="expected  a list of at least one text"):
            CLAP(weights=str(folder)).text_features(texts)


def test_a_folder_without_a_tokenizer_still_hears(
    tmp_path: Path, clips: torch.Tensor, clap_model: Callable[..., Any]
) -> None:
    clap_model().save_pretrained(tmp_path)
    embedding = CLAP(weights=str(tmp_path))
    assert embedding.features(clips).shape == (2, 1, 24)
    with pytest.raises(GenaudioError, match=r"has no tokenizer\n    expected  tokenizer\.json"):
        embedding.text_features(TEXTS)


def test_another_front_end_than_claps_is_refused(
    tmp_path: Path, clips: torch.Tensor, save_clap: Callable[..., Path]
) -> None:
    folder = save_clap(tmp_path, hop_length=320)
    with pytest.raises(GenaudioError, match=r"\{'hop_length': 320\}\n    expected  hop_length 480"):
        CLAP(weights=str(folder)).features(clips)


def test_gaps_between_windows_and_clips_below_a_frame_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="hop 2 s is above window 1 s: sound between would go unheard"):
        CLAP(window=1.0, hop=2.0)
    with pytest.raises(GenaudioError, match=r"clips of 1023 samples, .*\n    expected  at least 1024"):
        CLAP(weights=str(folder)).features(torch.zeros(1, 1, 1023))
    assert CLAP(weights=str(folder)).features(torch.zeros(1, 1, 1024)).isfinite().all()


def test_the_tokenizer_of_a_folder_is_part_of_the_hash_of_its_config(
    tmp_path: Path, save_clap: Callable[..., Path]
) -> None:
    folder = save_clap(tmp_path)
    before = CLAP(weights=str(folder))
    assert before.config_sha256 == CLAP(weights=str(folder)).config_sha256 is not None
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")
    assert CLAP(weights=str(folder)).config_sha256 != before.config_sha256
    assert CLAP(weights=str(folder)).weights_sha256 == before.weights_sha256
