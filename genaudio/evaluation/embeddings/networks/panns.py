"""Two networks of PANNs (Kong et al. 2020, arXiv 1912.10211): CNN14, and Wavegram-Logmel-CNN beside it.

Shapes: waveform (batch, time); log-mel (batch, frames, 64); features (batch, 2048); logits (batch, 527). Names of
tensors are those of the released checkpoints, the log-mel spectrogram's apart. Dropout and masking, which training
alone has, are left out. `widths` and `features` of anything but the default fit no published weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genaudio.evaluation.embeddings.networks.front_ends import PANNsLogMel

CLASSES = 527
WIDTHS = (64, 128, 256, 512, 1024, 2048)
_POOLED = 32  # what five poolings make one frame of


class _Block(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation and ReLU, then the mean over cells of `pool`."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, pool: tuple[int, int] = (2, 2)) -> Tensor:
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, pool)


class _WaveBlock(nn.Module):
    """Two convolutions over time, the second dilated by 2, then the maximum of each 4 samples."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(before, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv1d(width, width, 3, padding=2, dilation=2, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.bn2 = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        return F.max_pool1d(x, 4)


class Tagger(nn.Module, ABC):
    """Blocks of convolutions on a plane of time and frequency, maximum plus mean over time, two linear layers.

    A clip of any length gives one row of features, after the ReLU that the classes are told from. A network differs
    from another in what its second block hears, `second_in` channels.
    """

    def __init__(self, widths: tuple[int, ...], features: int, second_in: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(PANNsLogMel.BANDS)
        self.conv_block1 = _Block(1, widths[0])
        self.conv_block2 = _Block(second_in, widths[1])
        self.conv_block3 = _Block(widths[1], widths[2])
        self.conv_block4 = _Block(widths[2], widths[3])
        self.conv_block5 = _Block(widths[3], widths[4])
        self.conv_block6 = _Block(widths[4], widths[5])
        self.fc1 = nn.Linear(widths[5], features)
        self.fc_audioset = nn.Linear(features, CLASSES)

    @staticmethod
    @abstractmethod
    def shortest(hop_length: int) -> int:
        """The fewest samples that leave a frame after all poolings."""

    @abstractmethod
    def planes(self, log_mel: Tensor, waveform: Tensor) -> Tensor:
        """What the second block hears, `(batch, second_in, frames // 2, 32)`."""

    def forward(self, log_mel: Tensor, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits."""
        x = self.planes(log_mel, waveform)
        for block in (self.conv_block2, self.conv_block3, self.conv_block4, self.conv_block5):
            x = block(x)
        x = self.conv_block6(x, (1, 1)).mean(3)
        features = F.relu_(self.fc1(x.amax(2) + x.mean(2)))
        return features, self.fc_audioset(features)

    def log_mel_plane(self, log_mel: Tensor) -> Tensor:
        """The first block's of the spectrogram, each band of it normalised by itself."""
        normal = self.bn0(log_mel.mT.unsqueeze(-1)).squeeze(-1).mT
        plane: Tensor = self.conv_block1(normal.unsqueeze(1))
        return plane


class CNN14(Tagger):
    """Twelve convolutions on a log-mel spectrogram: 80.8 million parameters."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, features: int = 2048) -> None:
        super().__init__(widths, features, second_in=widths[0])

    @staticmethod
    def shortest(hop_length: int) -> int:
        """The fewest samples that leave a frame after all poolings."""
        return (_POOLED - 1) * hop_length

    def planes(self, log_mel: Tensor, waveform: Tensor) -> Tensor:
        """That of the spectrogram; CNN14 does not look at the waveform itself."""
        return self.log_mel_plane(log_mel)


class WavegramLogmelCNN14(Tagger):
    """CNN14 that hears, beside the spectrogram, a plane learned from the waveform: 81.1 million parameters.

    The waveform at 32 kHz is brought to 100 steps a second by convolutions, and its channels are laid out as 32 rows.
    The two planes differ by at most one step in length; the longer one loses its last (the released code asks for
    lengths at which they do not differ).
    """

    def __init__(
        self, widths: tuple[int, ...] = WIDTHS, features: int = 2048, wave: tuple[int, int] = (64, 128)
    ) -> None:
        super().__init__(widths, features, second_in=2 * widths[0])
        self.pre_conv0 = nn.Conv1d(1, wave[0], 11, stride=5, padding=5, bias=False)
        self.pre_bn0 = nn.BatchNorm1d(wave[0])
        self.pre_block1 = _WaveBlock(wave[0], wave[0])
        self.pre_block2 = _WaveBlock(wave[0], wave[1])
        self.pre_block3 = _WaveBlock(wave[1], wave[1])
        self.pre_block4 = _Block(wave[1] // 32, widths[0])

    @staticmethod
    def shortest(hop_length: int) -> int:
        """The fewest samples that leave a frame after all poolings, which of the waveform are more."""
        return max(CNN14.shortest(hop_length), (_POOLED * 64 - 1) * 5 + 1)

    def planes(self, log_mel: Tensor, waveform: Tensor) -> Tensor:
        """Those of the spectrogram and of the waveform, one after the other along the channels."""
        x = self.log_mel_plane(log_mel)
        wave = F.relu_(self.pre_bn0(self.pre_conv0(waveform.unsqueeze(1))))
        wave = self.pre_block3(self.pre_block2(self.pre_block1(wave)))
        plane = self.pre_block4(wave.unflatten(1, (-1, 32)).mT, (2, 1))
        steps = min(x.shape[2], plane.shape[2])
        return torch.cat((x[:, :, :steps], plane[:, :, :steps]), 1)
