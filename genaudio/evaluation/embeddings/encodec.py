"""EnCodec (Défossez et al. 2022, arXiv 2210.13438): the latents of a neural codec.

Shapes: waveform (batch, channels, time); features (batch, frames, dimensions), one frame for every `hop` samples.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor, nn

from genaudio.core.component import parameter
from genaudio.evaluation.embeddings.hub_embedding import HubEmbedding
from genaudio.evaluation.embeddings.inference import mono
from genaudio.evaluation.embeddings.weights.huggingface import Checkpoint, find_checkpoint, in_parts

_SECONDS = 60.0  # of sound in one pass


class EnCodec(HubEmbedding):
    """What EnCodec's encoder gives before it is quantised, 128 numbers every 1/75 s (24 kHz) or 1/150 s (48 kHz).

    It hears how a sound is recorded and coded as much as what it is. Channels are averaged or copied to what the
    checkpoint has. The 48 kHz model hears each second by itself, at a loudness of its own, as it was trained; here the
    seconds do not overlap, and the last one of a clip reaches back so that it is whole.
    """

    weights: str = parameter(
        "facebook/encodec_24khz",
        description="Folder of a checkpoint, or name of a repository on the Hugging Face hub",
    )

    @property
    def sample_rate(self) -> int:
        """24000 or 48000 Hz, as the checkpoint has it."""
        return int(self._checkpoint.config.sampling_rate)

    @property
    def frame_window(self) -> float:
        """The seconds that a frame stands for; it knows of what was before too, and at 48 kHz of its whole second."""
        return self.frame_hop

    @property
    def frame_hop(self) -> float:
        """Seconds between frames."""
        return self._hop / self.sample_rate

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, ceil(time / hop), dimensions)`, float64."""
        channels = self._checkpoint.config.audio_channels
        average = mono(waveform, shortest=self._hop, rate=self.sample_rate).unsqueeze(1)
        audio = waveform.float() if waveform.shape[1] == channels else average.expand(-1, channels, -1)
        model = self._model.to(waveform.device)
        size = int(_SECONDS * self.sample_rate / audio.shape[-1])
        return in_parts(lambda part: self._latents(model, part), audio, size)

    def _latents(self, model: nn.Module, audio: Tensor) -> Tensor:
        length, chunk = audio.shape[-1], self._chunk
        if chunk is None or length <= chunk:
            return self._encode(model, audio)
        latents = [self._encode(model, audio[..., at : at + chunk]) for at in range(0, length - chunk + 1, chunk)]
        if rest := length % chunk:
            start = (length - chunk) // self._hop * self._hop
            latents.append(self._encode(model, audio[..., start:])[:, -math.ceil(rest / self._hop) :])
        return torch.cat(latents, 1)

    def _encode(self, model: nn.Module, audio: Tensor) -> Tensor:
        if self._checkpoint.config.normalize:
            loudness = audio.mean(1, keepdim=True).square().mean(-1, keepdim=True).sqrt()
            audio = audio / (loudness + 1e-8)
        latents: Tensor = model.get_submodule("encoder")(audio)
        return latents.mT

    @property
    def _hop(self) -> int:
        return math.prod(self._checkpoint.config.upsampling_ratios)

    @property
    def _chunk(self) -> int | None:
        """Samples that the model hears at a time, a multiple of the hop; None: as many as there are."""
        seconds = self._checkpoint.config.chunk_length_s
        return None if seconds is None else int(seconds * self.sample_rate) // self._hop * self._hop

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        return find_checkpoint(self.weights, self.revision, "encodec", "EncodecModel")
