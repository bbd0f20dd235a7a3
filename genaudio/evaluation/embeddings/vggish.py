"""VGGish: 128 numbers for each second of sound, the embedding that the Fréchet audio distance was defined on.

Shapes: waveform (batch, channels, time); features (batch, examples, 128).
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from genaudio.core.component import parameter
from genaudio.core.files import sha256
from genaudio.evaluation.embeddings.base import Embedding
from genaudio.evaluation.embeddings.inference import exact, mono
from genaudio.evaluation.embeddings.networks.front_ends import VGGishLogMel
from genaudio.evaluation.embeddings.networks.vggish import FRAMES, VGGishNetwork
from genaudio.evaluation.embeddings.weights.published import PublishedWeights, fill, read_weights, weights_file

PUBLISHED = PublishedWeights(
    "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth", "10086976"
)
RATE = 16000
_EXAMPLE = VGGishLogMel.WINDOW + (FRAMES - 1) * VGGishLogMel.HOP  # 15,600 samples
_DCASE_WINDOW, _DCASE_HOP, _DCASE_RATE = 16000, 8000, 22050  # samples, samples, Hz
_BATCH = 64


class VGGish(Embedding):
    """VGGish as released with AudioSet (Hershey et al. 2017), trained on sounds of YouTube, before a last ReLU.

    An example is 96 frames, 0.975 s. The `standard` protocol hears 16 kHz as it is. `dcase2023_task7` does what that
    challenge's evaluator does, for figures that compare with its own and for nothing else: clips at their native rate
    are heard as if they were at 16 kHz (slower and lower than they are), divided by their largest positive sample,
    in windows of 16,000 samples with step 8,000. AudioSet's whitening and 8 bits are not applied: distances do without.
    """

    weights: str | None = parameter(
        None,
        description="Path of a weights file (.pth of the torch port or .safetensors); none: downloaded",
        min_length=1,
        source="torchvggish v0.1, vggish-10086976.pth",
    )
    protocol: Literal["standard", "dcase2023_task7"] = parameter(
        "standard", description="16 kHz as it is, or as the evaluator of DCASE 2023 Task 7"
    )
    hop: float | None = parameter(
        None,
        ge=0.01,
        le=60,
        description="Time between examples, a multiple of 0.01; none: 0.96 (`standard` alone)",
        unit="s",
    )
    native_rate: int | None = parameter(
        None,
        ge=1000,
        le=192000,
        description="Rate of the clips, which are heard as if at 16,000; none: 22050 (`dcase2023_task7` alone)",
        unit="Hz",
    )
    activation: bool = parameter(
        False, description="Whether the last ReLU, which is no part of the released network, is applied"
    )

    @model_validator(mode="after")
    def _fields_fit_the_protocol(self) -> Self:
        if self.protocol == "standard" and self.native_rate is not None:
            raise ValueError("native_rate belongs to the protocol dcase2023_task7; the standard one is at 16000 Hz")
        if self.protocol == "dcase2023_task7" and self.hop is not None:
            raise ValueError("hop belongs to the standard protocol; dcase2023_task7 steps by 8000 samples")
        if self.hop is not None and abs(self.hop * 100 - round(self.hop * 100)) > 1e-6:
            raise ValueError(f"hop {self.hop} s is not a multiple of 0.01 s")
        return self

    @property
    def sample_rate(self) -> int:
        """16,000 Hz; in the protocol `dcase2023_task7` `native_rate`."""
        return RATE if self.protocol == "standard" else self.native_rate or _DCASE_RATE

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file."""
        return self._sha256

    @property
    def frame_window(self) -> float:
        """0.975 s; less of a clip that is heard too slowly."""
        return _EXAMPLE / self.sample_rate

    @property
    def frame_hop(self) -> float:
        """Seconds of the clip between two examples."""
        return self._frames_between * VGGishLogMel.HOP / self.sample_rate

    def features(self, waveform: Tensor) -> Tensor:
        """`(batch, channels, time)` to `(batch, examples, 128)`; raises `GenaudioError` for less than one example."""
        needed = _EXAMPLE if self.protocol == "standard" else _DCASE_WINDOW
        audio = mono(waveform, shortest=needed, rate=self.sample_rate)
        count = 1 + (audio.shape[-1] - needed) // (self._frames_between * VGGishLogMel.HOP)
        with exact(audio.device):
            if self.protocol == "dcase2023_task7":
                audio = divided_by_peak(audio)
            frames = self._log_mel.to(audio.device)(audio)
            examples = frames.unfold(1, FRAMES, self._frames_between)[:, :count].mT.flatten(0, 1)
            network = self._network.to(audio.device)
            found = torch.cat([network(part) for part in examples.split(_BATCH)])
            if self.activation:
                found = found.relu()
        return found.double().cpu().reshape(len(audio), count, -1)

    @property
    def _frames_between(self) -> int:
        if self.protocol == "dcase2023_task7":
            return _DCASE_HOP // VGGishLogMel.HOP
        return FRAMES if self.hop is None else round(self.hop * 100)

    @cached_property
    def _sha256(self) -> str:
        return sha256(weights_file(self.weights, PUBLISHED))

    @cached_property
    def _log_mel(self) -> VGGishLogMel:
        return VGGishLogMel()

    @cached_property
    def _network(self) -> VGGishNetwork:
        path = weights_file(self.weights, PUBLISHED)
        with torch.device("meta"):
            network = VGGishNetwork()
        fill(network, read_weights(path), str(path))
        return network


def divided_by_peak(audio: Tensor) -> Tensor:
    """Each clip over its largest positive sample, `(batch, time)`; the evaluator of DCASE 2023 Task 7 does this.

    It reads 16-bit integers and divides by no less than 0.1 of one, so that digital silence stays silent.
    """
    return audio / audio.amax(-1, keepdim=True).clamp_min(0.1 / 32768)
