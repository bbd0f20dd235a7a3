"""What `wav2vec2` and `hubert` share: convolutions that make a frame every 20 ms, and a transformer over the frames.

Shapes: waveform (batch, channels, time); features (batch, frames, dimensions).
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor, nn

from genaudio.core.component import parameter
from genaudio.core.errors import GenaudioError
from genaudio.evaluation.embeddings.hub_embedding import HubEmbedding
from genaudio.evaluation.embeddings.inference import mono
from genaudio.evaluation.embeddings.weights.huggingface import Checkpoint, find_checkpoint, in_parts

_SECONDS = 60.0  # of sound in one pass


class SpeechEncoder(HubEmbedding):
    """Hidden states of one layer of a self-supervised model of speech, a row each frame.

    A frame is made from `frame_window` seconds of sound; by attention it knows of the whole clip too. Channels are
    averaged. Each clip is brought to mean 0 and variance 1 first if the checkpoint says so (`do_normalize`): gain then
    changes nothing.
    """

    layer: int = parameter(
        -1, description="0: what goes into the transformer; n: what its n-th layer gives; negative: from the last back"
    )

    model_type: ClassVar[str]
    model_class: ClassVar[str]

    @property
    def sample_rate(self) -> int:
        """What the checkpoint was trained at; 16000 Hz for all that are published."""
        return int(self._preprocessing["sampling_rate"])

    @property
    def frame_window(self) -> float:
        """Seconds that the convolutions of one frame see: 0.025 for all that are published."""
        return self._receptive_field / self.sample_rate

    @property
    def frame_hop(self) -> float:
        """Seconds between frames: 0.02 for all that are published."""
        return float(math.prod(self._checkpoint.config.conv_stride) / self.sample_rate)

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, frames, dimensions)`, float64."""
        audio = mono(waveform, shortest=self._receptive_field, rate=self.sample_rate)
        model = self._model.to(waveform.device)
        return in_parts(
            lambda part: self._hidden(model, part), audio, int(_SECONDS * self.sample_rate / audio.shape[-1])
        )

    def _hidden(self, model: nn.Module, audio: Tensor) -> Tensor:
        if self._preprocessing.get("do_normalize", True):
            mean, variance = audio.mean(-1, keepdim=True), audio.var(-1, correction=0, keepdim=True)
            audio = (audio - mean) / (variance + 1e-7).sqrt()
        output = model(audio, output_hidden_states=True)
        # The last one is taken from where it is normalised in every version of transformers.
        states: Tensor = (*output.hidden_states[:-1], output.last_hidden_state)[self.layer]
        return states

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        checkpoint = find_checkpoint(self.weights, self.revision, self.model_type, self.model_class)
        layers = checkpoint.config.num_hidden_layers
        if not -layers - 1 <= self.layer <= layers:
            raise GenaudioError(f"layer {self.layer}", expected=f"{-layers - 1} to {layers}, as {self.weights} has it")
        return checkpoint

    @property
    def _preprocessing(self) -> Any:
        settings = self._checkpoint.preprocessing
        if settings is None or "sampling_rate" not in settings:
            raise GenaudioError(
                f"{self._checkpoint.folder} does not say how audio is prepared for it",
                expected="preprocessor_config.json with sampling_rate and do_normalize",
                mend="copy it from where the checkpoint is from",
            )
        return settings

    @property
    def _receptive_field(self) -> int:
        config, field = self._checkpoint.config, 1
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        return field

    @cached_property
    def _model(self) -> nn.Module:
        # Drawn in training in place of masked frames; fine-tuned checkpoints often come without it.
        return self._checkpoint.load(optional=("masked_spec_embed",))
