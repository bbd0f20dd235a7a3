"""CLAP (Wu et al. 2023, arXiv 2211.06687): sound and text in one space.

Shapes: waveform (batch, channels, time); features (batch, windows, 512), text features (texts, 512), of length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.core.files import expanded, sha256
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.inference import mono
from genaudio.evaluation.embeddings.weights.huggingface import (
    Checkpoint,
    find_checkpoint,
    find_folder,
    first_line,
    in_parts,
    quiet,
    transformers,
)
from genaudio.evaluation.embeddings.weights.laion_checkpoint import load_laion
from genaudio.evaluation.embeddings.windows import window_starts

RATE = 48000
_LENGTH = 480000  # samples that the model hears at once: 10 s
_FFT, _HOP, _BANDS = 1024, 480, 64
_BAND = (50.0, 14000.0)  # Hz that LAION's mel bands reach over
# How a Hugging Face folder says the same.
_PREPROCESSING = {"sampling_rate": RATE, "fft_window_size": _FFT, "hop_length": _HOP, "feature_size": _BANDS}
# What transformers reads RoBERTa's tokenizer from.
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
_WINDOWS = 16  # in one pass
_TOKENS = 77  # of a text, as in training


class CLAP(Embedding):
    """LAION's CLAP: a row for each window of a clip, and for each text; all of length 1, so that products are cosines.

    Windows lie at fixed places (`window`, `hop`), the last one flush with the clip's end: nothing is cropped at random,
    and of a checkpoint with feature fusion the path for long clips, which needs random crops, is never taken. The model
    always hears 10 s; `padding` says what a shorter window is filled up with. Channels are averaged.
    """

    weights: str = parameter(
        "laion/clap-htsat-unfused",
        description="A `.pt` file of LAION's, the folder of a Hugging Face checkpoint, or a repository on the hub",
    )
    revision: str | None = parameter(None, description="Branch, tag or commit of the repository; None: its main branch")
    window: float = parameter(10.0, ge=0.1, le=10, description="Sound that one row hears", unit="s")
    hop: float = parameter(10.0, ge=0.01, description="Time between windows, at most `window`", unit="s")
    padding: Literal["repeatpad", "repeat", "silence"] = parameter(
        "repeatpad",
        description="How windows below 10 s are filled: repeated whole, then silence; repeated and cut; silence alone",
        source="LAION-CLAP's `data_filling`, of which `repeatpad` is the one that its embeddings are computed with",
    )
    tokenizer: str = parameter(
        "FacebookAI/roberta-base",
        description="Folder or repository of RoBERTa's tokenizer, for texts with a `.pt` file, which holds none",
    )

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        if self.hop > self.window:
            raise ValueError(f"hop {self.hop:g} s is above window {self.window:g} s: sound between would go unheard")
        return self

    @property
    def sample_rate(self) -> int:
        """48000 Hz."""
        return RATE

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights' file, or of the files' hashes where they are several."""
        return self._file_sha256 if self._file else self._checkpoint.sha256

    @cached_property
    def config_sha256(self) -> str | None:
        """SHA-256 of the names and hashes of a folder's settings and tokenizer; None of a `.pt` file, which has none.

        The tokenizer beside a `.pt` file has no part in what is heard.
        """
        return None if self._file else self._checkpoint.config_sha256(*_TOKENIZER)

    @property
    def frame_window(self) -> float:
        """`window`."""
        return self.window

    @property
    def frame_hop(self) -> float:
        """`hop`; the last window of a clip may begin earlier, so as to end with the clip."""
        return self.hop

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, windows, 512)`, float64."""
        audio = mono(waveform, shortest=_FFT, rate=RATE)
        window = round(self.window * RATE)
        starts = window_starts(audio.shape[-1], window, round(self.hop * RATE))
        model = self._model.to(waveform.device)

        def hear(places: Tensor) -> Tensor:
            # Cut out here, as overlapping windows of long clips are many times the clips.
            return self._hear(model, torch.stack([audio[clip, at : at + window] for clip, at in places.tolist()]))

        clips, firsts = (torch.tensor(numbers, device=audio.device) for numbers in (range(len(audio)), starts))
        rows = in_parts(hear, torch.cartesian_prod(clips, firsts), _WINDOWS)
        return F.normalize(rows, dim=-1).reshape(len(audio), len(starts), -1)

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """`(texts, 512)`, float64; a text is cut after 77 tokens, as in training."""
        if isinstance(texts, str) or not texts:
            raise GenaudioError(f"texts {texts!r}", expected="a list of at least one text")
        model: Any = self._model
        device = next(model.parameters()).device
        with quiet():
            tokens = self._tokens(list(texts), padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        numbers = torch.stack([tokens["input_ids"], tokens["attention_mask"]], 1).to(device)

        def read(part: Tensor) -> Tensor:
            pooled = model.text_model(input_ids=part[:, 0], attention_mask=part[:, 1]).pooler_output
            projected: Tensor = model.text_projection(pooled)
            return projected

        return F.normalize(in_parts(read, numbers, 4 * _WINDOWS), dim=-1)

    def _hear(self, model: Any, windows: Tensor) -> Tensor:
        """`(n, time)` to `(n, 512)`."""
        fusion = model.config.audio_config.enable_fusion
        mel = _log_mel(_filled(windows, self.padding), self._band, fusion=fusion)
        longer = torch.zeros(len(windows), 1, dtype=torch.bool, device=windows.device)
        pooled = model.audio_model(input_features=mel, is_longer=longer).pooler_output
        projected: Tensor = model.audio_projection(pooled)
        return projected

    @property
    def _file(self) -> Path | None:
        """The file of LAION's that `weights` names, if it names one."""
        path = expanded(self.weights)
        if path.suffix not in (".pt", ".pth", ".bin", ".ckpt"):
            return None
        if not path.is_file():
            raise GenaudioError(f"weights {self.weights!r}: no such file", expected="a checkpoint of LAION's CLAP")
        return path

    @cached_property
    def _file_sha256(self) -> str:
        return sha256(expanded(self.weights))

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        checkpoint = find_checkpoint(self.weights, self.revision, "clap", "ClapModel")
        said, wanted = checkpoint.preprocessing or {}, _PREPROCESSING
        other = {key: said[key] for key in wanted if key in said and said[key] != wanted[key]}
        if other:
            raise GenaudioError(
                f"{checkpoint.folder} prepares its audio with {other}",
                expected=", ".join(f"{key} {wanted[key]}" for key in other) + ", as LAION's checkpoints do",
            )
        return checkpoint

    @property
    def _band(self) -> tuple[float, float]:
        said = {} if self._file else self._checkpoint.preprocessing or {}
        return float(said.get("frequency_min", _BAND[0])), float(said.get("frequency_max", _BAND[1]))

    @cached_property
    def _model(self) -> nn.Module:
        return load_laion(self._file) if self._file else self._checkpoint.load(optional=("_ids", "position_index"))

    @cached_property
    def _tokens(self) -> Any:
        """The tokenizer of the checkpoint's folder, or for a `.pt` file the one that `tokenizer` names."""
        folder = find_folder(self.tokenizer, None, with_weights=False) if self._file else self._checkpoint.folder
        if not (folder / "tokenizer.json").is_file() and not (folder / "merges.txt").is_file():
            # transformers would make an empty one, for which all words are unknown.
            raise GenaudioError(
                f"{folder} has no tokenizer",
                expected="tokenizer.json, or vocab.json and merges.txt, of RoBERTa",
                mend="copy them from where the checkpoint is from, or give their folder as `tokenizer` of a .pt file",
            )
        with quiet():
            try:
                return transformers().RobertaTokenizer.from_pretrained(str(folder), local_files_only=True)
            except Exception as error:  # a broken file breaks transformers and tokenizers in many ways
                raise GenaudioError(f"{folder}: {first_line(error)}", expected="RoBERTa's tokenizer") from error


def _filled(windows: Tensor, padding: str) -> Tensor:
    """`(n, time)` to `(n, 480000)`."""
    length = windows.shape[-1]
    if padding == "repeat":
        return windows.repeat(1, -(-_LENGTH // length))[:, :_LENGTH]
    repeated = windows.repeat(1, _LENGTH // length) if padding == "repeatpad" else windows
    return F.pad(repeated, (0, _LENGTH - repeated.shape[-1]))


def _log_mel(audio: Tensor, band: tuple[float, float], *, fusion: bool) -> Tensor:
    """`(n, time)` to `(n, 1, frames, 64)` in dB, at least -100: LAION's two front ends, over a band in Hz.

    Models without fusion were trained on Slaney's mel scale and areas, those with it on HTK's scale and heights of 1.
    """
    import torchaudio.functional

    hann = torch.hann_window(_FFT, device=audio.device)
    spectrum = torch.stft(audio, _FFT, _HOP, window=hann, center=True, pad_mode="reflect", return_complex=True)
    filters = torchaudio.functional.melscale_fbanks(
        _FFT // 2 + 1,
        f_min=band[0],
        f_max=band[1],
        n_mels=_BANDS,
        sample_rate=RATE,
        norm=None if fusion else "slaney",
        mel_scale="htk" if fusion else "slaney",
    )
    power = spectrum.real.square() + spectrum.imag.square()
    mel: Tensor = power.mT @ filters.to(audio.device)
    return 10 * mel.clamp_min(1e-10).log10().unsqueeze(1)
